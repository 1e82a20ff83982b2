-- Read heads of streams.
--
-- KEYS  for each stream its head and its list.
-- Returns for each {core, incarnation, rest, tail, owner}, or false.
local found = {}
for i = 1, #KEYS, 2 do
  local head = call('HMGET', KEYS[i], 'c', 'i', 'd', 'o')
  found[#found + 1] = head[1] and {head[1], head[2], head[3], tail_of(KEYS[i + 1], head[1]), head[4]} or false
end
return found
