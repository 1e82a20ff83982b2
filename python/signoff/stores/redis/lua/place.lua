-- Place posts of one shard in another: those that were placed already, by whoever came first, are passed over.
--
-- KEYS  placed, paths, then for each post the head and the list of its stream.
-- ARGV  the sending shard; for each post its number (ordered), path, units, data, what a new stream is made of.
-- Returns how many were placed.
local PLACED, PATHS = KEYS[1], KEYS[2]
local last = call('HGET', PLACED, ARGV[1]) or NONE
local placed = 0
for i = 0, (#KEYS - 2) / 2 - 1 do
  local number, path, units, data, seed = unpack(ARGV, i * 5 + 2, i * 5 + 6)
  local head, list = KEYS[i * 2 + 3], KEYS[i * 2 + 4]
  if number > last then
    local core = call('HGET', head, 'c')
    if not core then core = make_engine(PATHS, head, path, seed, 1) end
    local tail = tail_of(list, core)
    units = tonumber(units)
    if units > 0 then call('RPUSH', list, pack('>I8I4', tail, units) .. data) end
    last = number
    placed = placed + 1
  end
end
if placed > 0 then call('HSET', PLACED, ARGV[1], last) end
return placed
