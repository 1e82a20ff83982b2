-- Forget the posts of the outbox that were placed.
--
-- KEYS  outbox. ARGV  the number of the last one.
local gone = 0
while true do
  local first = redis.call('LINDEX', KEYS[1], 0)
  if not first or string.sub(first, 1, 8) > ARGV[1] then return gone end
  redis.call('LPOP', KEYS[1])
  gone = gone + 1
end
