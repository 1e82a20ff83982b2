-- Look for marks: among the last ones, and at what they were about.
--
-- KEYS  marks, then for each what it was about (any key: nothing).
-- ARGV  for each: the mark, the field of that key that tells the version.
-- Returns how many marks are remembered, then for each {whether it is there, what the field holds}.
local found = {redis.call('LLEN', KEYS[1])}
for i = 2, #KEYS do
  local mark, field = ARGV[(i - 2) * 2 + 1], ARGV[(i - 2) * 2 + 2]
  local there = redis.call('LPOS', KEYS[1], mark, 'RANK', -1)
  found[i] = {there and 1 or 0, redis.call('HGET', KEYS[i], field)}
end
return found
