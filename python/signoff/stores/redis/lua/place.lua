-- Place posts of one shard in another: those that were placed already, by whoever came first, are passed over.
--
-- KEYS  paths, moved, then for each post the head and the list of its stream.
-- ARGV  the sending shard, this shard; for each post its number (ordered), path, units, data, what a new stream is made
--       of, whether it may be made here.
-- Returns the places of those that belong elsewhere.
local PATHS, MOVED = KEYS[1], KEYS[2]
local from, elsewhere = 'f' .. ARGV[1], {}
for i = 0, (#KEYS - 2) / 2 - 1 do
  local number, path, units, data, seed, here = unpack(ARGV, i * 6 + 3, i * 6 + 8)
  local head, list = KEYS[i * 2 + 3], KEYS[i * 2 + 4]
  local known = call('HMGET', head, 'c', from)
  if not known[1] and not is_ours(MOVED, path, here, ARGV[2]) then
    elsewhere[#elsewhere + 1] = i
  elseif number > (known[2] or NONE) then
    local core = known[1] or make_engine(PATHS, head, path, seed, 1)
    local tail = tail_of(list, core)
    units = tonumber(units)
    if units > 0 then call('RPUSH', list, pack('>I8I4', tail, units) .. data) end
    call('HSET', head, from, number)
  end
end
return elsewhere
