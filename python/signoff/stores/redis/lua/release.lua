-- Give leases up: their subjects are ready at once. A lease that is no longer ours is left alone.
--
-- KEYS  agenda, far, then the subjects.
-- ARGV  owner, then of each subject its ref and epoch.
local AGENDA, FAR = KEYS[1], KEYS[2]
for i = 3, #KEYS do
  local ref, epoch = ARGV[(i - 3) * 2 + 2], ARGV[(i - 3) * 2 + 3]
  local old = call('HMGET', KEYS[i], 'h', 'l')
  local h, l = old[1], old[2]
  if h and sub(l, 1, 4) == epoch and sub(l, 49) == '1' .. ARGV[1] then
    local ready = sub(h, 1, 16) .. '1' .. sub(h, 18)
    l = schedule(AGENDA, ref, h, ready, sub(l, 1, 16) .. NONE .. sub(l, 25, 48) .. '0')
    call('HSET', KEYS[i], 'h', ready, 'l', l)
    call('ZREM', FAR, ref)
  end
end
return 1
