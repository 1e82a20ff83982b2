-- Take leases on subjects that were found in the agenda, as many as are still there.
--
-- KEYS  agenda, far, then the subjects, in the order in which they shall be taken.
-- ARGV  owner, end of the lease, its length, now (ordered), its score among leases, queues each
--       after its length, then the subjects' refs.
-- Returns for each that was taken its place among the keys and its fields.
local AGENDA, FAR = KEYS[1], KEYS[2]
local owner, ends, length, now, score, queues = unpack(ARGV, 1, 6)
local now_ms, taken = tonumber(score) + parse('>I8', length), {}
for i = 3, #KEYS do
  local ref = ARGV[i + 4]
  local old = call('HMGET', KEYS[i], 'h', 'l', 't', 's', 'o')
  local h, l = old[1], old[2]
  if h then
    local class, at = due(h, l)
    local queue = sub(h, 36)
    local ours = string.find(queues, pack('>I4', #queue) .. queue, 1, true)
    local ahead = sub(l, 49, 49) == '1' and tonumber(call('ZSCORE', FAR, ref) or -1e300) > now_ms
    if ours and (class == 'r' or (class == 't' and (at <= now or ahead))) then
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
