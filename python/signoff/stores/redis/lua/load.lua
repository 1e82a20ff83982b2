-- Load a subject with some of its parts, in one look.
--
-- KEYS  the subject, then for each that is wanted the hash of its kind, then meta.
-- ARGV  for each that is wanted: whether any key will do, or this one; the key; whether only open ones. Then which data
--       it is.
-- Returns {h, l, t, s, o}, then for each that is wanted names and values; nothing if there is no such subject.
local record = redis.call('HMGET', KEYS[1], 'h', 'l', 't', 's', 'o')
if not record[1] then
  if redis.call('HGET', KEYS[#KEYS], 'id') ~= ARGV[#ARGV] then return redis.error_reply('-GONE the data') end
  return false
end
local found = {record}
for i = 2, #KEYS - 1 do
  local any, key, open = unpack(ARGV, (i - 2) * 3 + 1, (i - 2) * 3 + 3)
  local all
  if any == '1' then
    all = redis.call('HGETALL', KEYS[i])
  else
    local value = redis.call('HGET', KEYS[i], key)
    all = value and {key, value} or {}
  end
  if open == '1' then
    local kept = {}
    for j = 1, #all, 2 do
      if string.sub(all[j + 1], 16, 16) == '1' then
        kept[#kept + 1] = all[j]
        kept[#kept + 1] = all[j + 1]
      end
    end
    all = kept
  end
  found[i] = all
end
return found
