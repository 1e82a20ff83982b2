-- Read a stream: its head, its batches from the one on that holds a position, and, if asked for, its live rows.
--
-- KEYS  head, list, live rows, producers, moved, meta.
-- ARGV  the position ('rows': where the live rows are; '': no batches), how many bytes, a producer's id after a '=' (''
--       none), the path, which data it is.
-- Returns {core, incarnation, rest, tail, batches, rows, producer's mark}; if there is no such stream nothing, or a note
-- of the shard where it may be.
local head = call('HMGET', KEYS[1], 'c', 'i', 'd')
if not head[1] then
  if call('HGET', KEYS[6], 'id') ~= ARGV[5] then return redis.error_reply('-GONE the data') end
  return call('HGET', KEYS[5], ARGV[4])
end
local list, most = KEYS[2], tonumber(ARGV[2])
local tail = tail_of(list, head[1])
local found, rows, producer = {}, {}, false
if ARGV[3] ~= '' then producer = call('HGET', KEYS[4], sub(ARGV[3], 2)) end
local from = ARGV[1]
if from == 'rows' then
  rows = call('HVALS', KEYS[3])
  from = parse('>I8', '\0' .. sub(head[1], 10, 16))
end
from = tonumber(from)

local function end_of(index)
  local start, count = parse('>I8I4', call('LINDEX', list, index))
  return start + count
end

-- Most readers are near the end: look from there in leaps that double, and halve what is left.
local function first_after(position, length)
  local low, high, leap = 0, length, 1
  while high > 0 do
    local at = math.max(0, length - leap)
    if end_of(at) <= position then
      low = at + 1
      break
    end
    high, leap = at, leap * 2
  end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if end_of(middle) > position then high = middle else low = middle + 1 end
  end
  return low
end

if from and from < tail then
  local length = call('LLEN', list)
  local at, bytes = first_after(from, length), 0
  while at < length and (#found == 0 or bytes < most) do
    local some = call('LRANGE', list, at, at + 31)
    for _, batch in ipairs(some) do
      if #found > 0 and bytes >= most then break end
      found[#found + 1] = batch
      bytes = bytes + #batch - 12
    end
    at = at + #some
  end
end
return {head[1], head[2], head[3], tail, found, rows, producer}
