/*
 * The operation table: op.def with each row's code, descriptions and struct sizes.
 *
 * Data only. Rows the engine runs itself have no code; internal steps have no descriptions.
 */
#include "op/op.h"

#define DECLARE_TX(name) extern const struct op_code op_code_##name;
#define DECLARE_READER(name) extern const struct op_code op_code_##name;
#define DECLARE_ENGINE(name)
#define OP(name, class_, how) DECLARE_##how(name)
#define STEP(name, how) DECLARE_##how(name)
OP_TABLE(OP)
OP_STEPS(STEP)
#undef OP
#undef STEP

#define CODE_TX(name) &op_code_##name
#define CODE_READER(name) &op_code_##name
#define CODE_ENGINE(name) NULL
#define STEP_CLASS_TX FF_OPERATION_WRITE
#define STEP_CLASS_READER FF_OPERATION_READ

#define OP(op, class, run_by)                                    \
  [OP_##op] = {.name = #op,                                      \
               .class_ = FF_OPERATION_##class,                   \
               .how = OP_HOW_##run_by,                           \
               .code = CODE_##run_by(op),                        \
               .args = &op_args_##op,                            \
               .result = &op_result_##op,                        \
               .args_size = sizeof(struct ff_##op##_args),       \
               .result_size = sizeof(struct ff_##op##_result)},
#define STEP(op, run_by)                                         \
  [OP_##op] = {.name = #op,                                      \
               .class_ = STEP_CLASS_##run_by,                    \
               .how = OP_HOW_##run_by,                           \
               .code = CODE_##run_by(op),                        \
               .args_size = sizeof(struct op##_args),            \
               .result_size = sizeof(struct op##_result)},
const struct op_info op_infos[OP_ALL_COUNT] = {OP_TABLE(OP) OP_STEPS(STEP)};
