-- What runs inside the server: each function is one atomic step over keys of one hash tag.
--
-- Nothing here knows a record: rows are headers (16 bytes that name one write of one version) and
-- bodies, members of indexes end in the key of their row and its length. valkey_script.c makes a
-- library of it, or scripts where the server has no functions. Whatever can fail is looked at before
-- the first write: a script that fails in the middle keeps what it wrote.

local CHUNK = 4000 -- of values on Lua's stack

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- command(key?, names[first .. last]) in chunks, appended to out.
local function gather(out, command, key, names, first, last)
  for from = first, last, CHUNK do
    local to = math.min(from + CHUNK - 1, last)
    local part
    if key then part = redis.call(command, key, unpack(names, from, to))
    else part = redis.call(command, unpack(names, from, to)) end
    for i = 1, to - from + 1 do out[#out + 1] = part[i] end
  end
  return out
end

local function id_of(number) return struct.pack('>I8', number) end

-- Ids and rows in turn, of at most so many events from an id up to the last. Only a log that was
-- copied has ids without an event; what is left out there stands in gaps: its end, its begin.
local function events_from(log, gaps, id, count, last, out)
  local first = #out
  while #out - first < 2 * count and id <= last do
    local names = {}
    local to = math.min(id + count - (#out - first) / 2 - 1, id + CHUNK - 1, last)
    for i = id, to do names[#names + 1] = id_of(i) end
    local found = redis.call('HMGET', log, unpack(names))
    local at = 1
    while at <= #names and found[at] do
      out[#out + 1] = names[at]
      out[#out + 1] = found[at]
      at = at + 1
    end
    id = id + at - 1
    if at <= #names then
      local gap = redis.call('ZRANGEBYLEX', gaps, '(' .. id_of(id + 1), '+', 'LIMIT', 0, 1)[1]
      local behind, from = id + 1, nil
      if gap then behind, from = struct.unpack('>I8I8', gap) end
      id = gap and from <= id and behind > id and behind or id + 1
    end
  end
  return out
end

local function pairs_of(key, ids, out)
  local found = gather({}, 'HMGET', key, ids, 1, #ids)
  for i = 1, #ids do
    out[#out + 1] = ids[i]
    out[#out + 1] = found[i]
  end
  return out
end

-- Rows and ranges of one instant.
-- keys: rows ..., then for each range its index, and for all the events
-- args: how many rows; for each range from, to, limit, and what goes before a key ('' = events)
-- answers: the time, the rows, for each range its rows, of events ids and rows in turn
local function fetch(keys, args)
  local rows = tonumber(args[1])
  local answer = {0, gather({}, 'MGET', nil, keys, 1, rows)}
  local at = 2
  for k = rows + 1, #keys - 1 do
    local before = args[at + 3]
    local members = redis.call('ZRANGEBYLEX', keys[k], args[at], args[at + 1], 'LIMIT', 0, args[at + 2])
    for i = 1, #members do
      local member = members[i]
      local size = struct.unpack('>H', member, #member - 1)
      members[i] = before .. string.sub(member, -size - 2, -3)
    end
    if before == '' then answer[#answer + 1] = pairs_of(keys[#keys], members, {})
    else answer[#answer + 1] = gather({}, 'MGET', nil, members, 1, #members) end
    at = at + 4
  end
  answer[1] = milliseconds()
  return answer
end

local function append(keys, args, at, count)
  local last = redis.call('INCRBY', keys[2], count) - count
  for from = 1, count, CHUNK / 4 do
    local rows, members = {}, {}
    for i = from, math.min(from + CHUNK / 4 - 1, count) do
      local id = id_of(last + i)
      rows[#rows + 1] = id
      rows[#rows + 1] = args[at + 1]
      members[#members + 1] = '0'
      members[#members + 1] = args[at] .. id .. '\0\8'
      at = at + 2
    end
    redis.call('HSET', keys[3], unpack(rows))
    redis.call('ZADD', keys[4], unpack(members))
  end
  return at
end

-- A group of writes: all of it, or nothing.
-- keys: the schema's mark, the last event id, the events, their index, the rows looked at ..., in
--       a cluster the indexes (it refuses a call whose keys are on two nodes, but only those named)
-- args: the mark, the time before which this must happen ('' = any), how many events, how many rows,
--       the headers the rows must have ('' = absent) ..., for each event what its index entry begins with and
--       its row, then commands, each after the number of its words
-- answers: 1 done, 0 conflict, -1 another schema; and the last event id
local function apply(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return {-1, 0} end
  if args[2] ~= '' and milliseconds() >= tonumber(args[2]) then return {0, 0} end
  local at, events = 5, tonumber(args[3])
  for k = 5, 4 + tonumber(args[4]) do
    if redis.call('GETRANGE', keys[k], 0, 15) ~= args[at] then return {0, 0} end
    at = at + 1
  end
  if events > 0 then at = append(keys, args, at, events) end
  while at <= #args do
    local words = tonumber(args[at])
    redis.call(unpack(args, at + 1, at + words))
    at = at + words + 1
  end
  return {1, tonumber(redis.call('GET', keys[2]) or 0)}
end

-- keys: the last event id, the events, the highest id trimmed, the gaps
-- args: behind which id ('' = only where the end is), limit
-- answers: the last id, the highest trimmed, ids and rows in turn
local function read_log(keys, args)
  local last = tonumber(redis.call('GET', keys[1]) or 0)
  local trimmed = tonumber(redis.call('GET', keys[3]) or 0)
  local answer = {last, trimmed}
  if args[1] == '' then return answer end
  local from = math.max(tonumber(args[1]), trimmed)
  return events_from(keys[2], keys[4], from + 1, tonumber(args[2]), last, answer)
end

local function number(value) return string.format('%.0f', value) end

-- Removes the oldest events: those from before a time, keeping so many, no more than the limit.
-- keys: the last event id, the events, the highest id trimmed, the gaps, the index of events
local function trim_log(keys, args)
  local last = tonumber(redis.call('GET', keys[1]) or 0)
  local trimmed = tonumber(redis.call('GET', keys[3]) or 0)
  local before, keep, limit = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  local removed, old, first = 0, true, trimmed
  while old and removed < limit and last - trimmed > keep do
    local most = math.min(CHUNK / 4, limit - removed)
    local rows = events_from(keys[2], keys[4], trimmed + 1, most, last - keep, {})
    local gone, members = {}, {}
    for i = 1, #rows, 2 do
      local id, row = rows[i], rows[i + 1]
      if struct.unpack('>i8', row) >= before then old = false break end
      local size = struct.unpack('>H', row, 9)
      gone[#gone + 1] = id
      members[#members + 1] = string.sub(row, 11, 10 + size) .. id .. '\0\8'
    end
    if #gone == 0 then break end
    redis.call('HDEL', keys[2], unpack(gone))
    redis.call('ZREM', keys[5], unpack(members))
    trimmed = struct.unpack('>I8', gone[#gone])
    removed = removed + #gone
  end
  if trimmed > first then
    redis.call('SET', keys[3], number(trimmed))
    redis.call('ZREMRANGEBYLEX', keys[4], '-', '(' .. id_of(trimmed + 1))
  end
  return removed
end

-- Appends events with the ids they carry. In an empty log what lies below the first, or up to the
-- end, counts as trimmed.
-- keys: as of trim_log
-- args: the end, how many events, for each its id, what its index entry begins with and its row
local function restore_log(keys, args)
  local last = tonumber(redis.call('GET', keys[1]) or 0)
  local trimmed = tonumber(redis.call('GET', keys[3]) or 0)
  local behind, count = tonumber(args[1]), tonumber(args[2])
  if count > 0 then
    behind = struct.unpack('>I8', args[3]) - 1
    if behind < last then return 0 end
  end
  if last == trimmed and behind > last then
    redis.call('SET', keys[3], number(behind))
    last = behind
  end
  for at = 3, 3 * count, 3 do
    local id = struct.unpack('>I8', args[at])
    if id > last + 1 then redis.call('ZADD', keys[4], 0, args[at] .. id_of(last + 1)) end
    redis.call('HSET', keys[2], args[at], args[at + 2])
    redis.call('ZADD', keys[5], 0, args[at + 1] .. args[at] .. '\0\8')
    last = id
  end
  redis.call('SET', keys[1], number(last))
  return 1
end

-- keys: the schema, its mark; args: the mark it must have ('' = none), the new schema and mark
local function migrate(keys, args)
  if (redis.call('GET', keys[2]) or '') ~= args[1] then return 0 end
  redis.call('MSET', keys[1], args[2], keys[2], args[3])
  return 1
end
