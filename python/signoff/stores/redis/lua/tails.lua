-- Tell how far streams have grown.
--
-- KEYS  for each stream its head and its list.
-- Returns for each {core, incarnation, tail}, or false.
local found = {}
for i = 1, #KEYS, 2 do
  local head = call('HMGET', KEYS[i], 'c', 'i')
  found[#found + 1] = head[1] and {head[1], head[2], tail_of(KEYS[i + 1], head[1])} or false
end
return found
