-- Take leases on subjects that were found in the agenda, as many as are still there.
--
-- KEYS  agenda, far, then the subjects, in the order in which they shall be taken.
-- ARGV  owner, end of the lease, its length, its score among leases, now by the server's clock, and by the caller's, queues
--       each after its length, then the subjects' refs.
-- Returns for each that was taken its place among the keys and its fields.
local AGENDA, FAR = KEYS[1], KEYS[2]
local owner, ends, length, score, leases_now, now, queues = unpack(ARGV, 1, 7)
local now_ms, taken, ours = tonumber(score) + parse('>I8', length), {}, {}
local at = 1
while at <= #queues do
  local size = parse('>I4', queues, at)
  ours[sub(queues, at + 4, at + 3 + size)] = true
  at = at + 4 + size
end
for i = 3, #KEYS do
  local ref = ARGV[i + 5]
  local old = call('HMGET', KEYS[i], 'h', 'l', 't', 's', 'o')
  local h, l = old[1], old[2]
  if h then
    local class, at = due(h, l)
    local ahead = sub(l, 49, 49) == '1' and tonumber(call('ZSCORE', FAR, ref) or -1e300) > now_ms
    local there = class == 'r' or (class == 't' and at <= now) or (class == 'l' and (at <= leases_now or ahead))
    if there and ours[sub(h, 36)] then
      local epoch, lost = parse('>I4I4', l)
      if sub(l, 49, 49) == '1' and sub(l, 50) ~= owner then lost = lost + 1 end
      l = pack('>I4I4', epoch + 1, lost) .. length .. ends .. sub(l, 25, 48) .. '1' .. owner
      l = schedule(AGENDA, ref, h, h, l)
      call('HSET', KEYS[i], 'l', l)
      call('ZADD', FAR, score, ref)
      taken[#taken + 1] = {i - 3, h, l, old[3], old[4], old[5]}
    end
  end
end
return taken
