-- Note where the right to make streams at a path is, unless something newer is known.
--
-- KEYS  moved.
-- ARGV  path, the number of the note, the shard.
local note = redis.call('HGET', KEYS[1], ARGV[1])
if note and tonumber(string.match(note, '(.*) ')) >= tonumber(ARGV[2]) then return 0 end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
