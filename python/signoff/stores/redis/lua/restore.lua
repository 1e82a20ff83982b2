-- Write records of another store's dump; what is there already stays as it is.
--
-- KEYS  agenda, index, meta, paths, ends, far; then what each record names.
-- ARGV  the greatest number of what is listed, how many records; then of each its sort and its own arguments.
local AGENDA, INDEX, META, PATHS, ENDS, FAR = unpack(KEYS, 1, 6)
local a, k = 3, 7

local function args(count)
  a = a + count
  return unpack(ARGV, a - count, a - 1)
end

local function keys(count)
  k = k + count
  return unpack(KEYS, k - count, k - 1)
end

local function restore_subject()
  local ref, kind, id, h, l, terms, state, far = args(8)
  local key = keys(1)
  if call('EXISTS', key) == 1 then return end
  l = schedule(AGENDA, ref, h, h, l)
  call('HSET', key, 'h', h, 'l', l, 's', state)
  if terms ~= '' then call('HSET', key, 't', terms) end
  local rest = sub(l, 34, 48) .. id
  call('ZADD', INDEX, 0, kind .. '*' .. rest)
  list_terms(INDEX, kind, '', terms, rest)
  if far ~= '' then call('ZADD', FAR, far, ref) end
end

local function restore_part()
  local owner, kind, field, place, terms, value = args(6)
  local key, hash = keys(2)
  if call('HSETNX', hash, field, place .. value) == 0 then return end
  local rest = place .. owner .. field
  call('ZADD', INDEX, 0, kind .. '*' .. rest)
  list_terms(INDEX, kind, '', terms, rest)
  local kinds, named = call('HGET', key, 'k') or '', pack('>I4', #kind) .. kind
  if not string.find(kinds, named, 1, true) then call('HSET', key, 'k', kinds .. named) end
end

local function restore_stream()
  local path, core, incarnation, rest, ends, ref, tail = args(7)
  local head, owner = keys(2)
  if call('EXISTS', head) == 1 then return end
  call('HSET', head, 'c', core, 'i', incarnation, 'd', rest)
  call('ZADD', PATHS, 0, path)
  if ends ~= '' then call('ZADD', ENDS, ends, path) end
  if ref == '' then return end
  call('HSET', head, 'o', ref)
  local own, order = own_streams(call('HGET', owner, 'o') or '')
  own[path] = {closed = sub(core, 42, 42) == '1', tail = tonumber(tail)}
  order[#order + 1] = path
  call('HSET', owner, 'o', own_text(own, order))
end

local function restore_batch()
  local batch, stop = args(2)
  local list = keys(1)
  local last = call('LINDEX', list, -1)
  if last then
    local start, count = parse('>I8I4', last)
    if start + count >= tonumber(stop) then return end
  end
  call('RPUSH', list, batch)
end

local function restore_row()
  local field, row = args(2)
  local head, rows = keys(2)
  if call('HSETNX', rows, field, row) == 1 then call('HINCRBY', head, 'b', #row - 8) end
end

local function restore_producer()
  local producer, mark = args(2)
  call('HSETNX', keys(1), producer, mark)
end

local writers = {
  S = restore_subject, P = restore_part, H = restore_stream, B = restore_batch, R = restore_row, D = restore_producer,
}
for _ = 1, tonumber(ARGV[2]) do writers[args(1)]() end
local number = tonumber(call('HGET', META, 'number') or 0)
if tonumber(ARGV[1]) > number then call('HSET', META, 'number', ARGV[1]) end
return 1
