-- Read ranges of an ordered set whose members all have one score, and what the members stand for, in one look.
--
-- KEYS  the ordered set, then the hashes to read.
-- ARGV  a digest of the members that the hashes belong to ('' none yet), which fields to read, how many ranges; for each
--       range its ends, 1 to read it backwards, how many at most; then, where a field is read of each hash, its name.
-- Returns {members of each range}, and, if they are what the hashes belong to, {fields of each hash}.
local a, found = 4, {}
for i = 1, tonumber(ARGV[3]) do
  local first, last, reverse, most = unpack(ARGV, a, a + 3)
  a = a + 4
  if reverse == '1' then
    found[i] = redis.call('ZREVRANGEBYLEX', KEYS[1], last, first, 'LIMIT', 0, most)
  else
    found[i] = redis.call('ZRANGEBYLEX', KEYS[1], first, last, 'LIMIT', 0, most)
  end
end
local all = {}
for i, some in ipairs(found) do all[i] = redis.sha1hex(table.concat(some, '\0\0')) end
local digest = redis.sha1hex(table.concat(all))
if digest ~= ARGV[1] then return {found, digest} end
local records = {}
for i = 2, #KEYS do
  if ARGV[2] == 'subject' then
    records[i - 1] = redis.call('HMGET', KEYS[i], 'h', 'l', 't', 's', 'o')
  elseif ARGV[2] == 'part' then
    records[i - 1] = redis.call('HGET', KEYS[i], ARGV[a + i - 2])
  end
end
return {found, digest, records}
