-- Drop a piece of what a deleted stream held.
--
-- KEYS  doomed, then what its list, live rows and producers were renamed to.
-- ARGV  its id, how many batches to drop at most.
-- Returns how many deleted streams are left.
if redis.call('LLEN', KEYS[2]) > tonumber(ARGV[2]) then
  redis.call('LTRIM', KEYS[2], ARGV[2], -1)
else
  redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
  redis.call('LREM', KEYS[1], 1, ARGV[1])
end
return redis.call('LLEN', KEYS[1])
