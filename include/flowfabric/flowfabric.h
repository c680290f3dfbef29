/*
 * FlowFabric: a durable execution engine. This header includes the whole public API.
 */
#ifndef FLOWFABRIC_FLOWFABRIC_H
#define FLOWFABRIC_FLOWFABRIC_H

#include "flowfabric/base.h"
#include "flowfabric/budget.h"
#include "flowfabric/engine.h"
#include "flowfabric/error.h"
#include "flowfabric/events.h"
#include "flowfabric/flow.h"
#include "flowfabric/flow_cancel.h"
#include "flowfabric/flow_read.h"
#include "flowfabric/handle.h"
#include "flowfabric/lifecycle.h"
#include "flowfabric/read.h"
#include "flowfabric/schedule.h"
#include "flowfabric/signal.h"
#include "flowfabric/stream.h"
#include "flowfabric/transfer.h"
#include "flowfabric/why.h"
#include "flowfabric/words.h"
#include "flowfabric/worker.h"

#endif
