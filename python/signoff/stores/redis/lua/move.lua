-- Give away the right to make streams at a path, if there is none.
--
-- KEYS  moved, the head of the stream.
-- ARGV  path, the number of the note that led here (0: none did), this shard, the shard it goes to.
-- Returns the number of the note of where it is now and that shard; {-1} if there is a stream.
local note = redis.call('HGET', KEYS[1], ARGV[1])
local number = tonumber(ARGV[2])
if note then
  local known, shard = string.match(note, '(.*) (.*)')
  if tonumber(known) > number and shard ~= ARGV[3] then return {tonumber(known), tonumber(shard)} end
  number = math.max(number, tonumber(known))
end
if redis.call('EXISTS', KEYS[2]) == 1 then return {-1} end
redis.call('HSET', KEYS[1], ARGV[1], (number + 1) .. ' ' .. ARGV[4])
return {number + 1, tonumber(ARGV[4])}
