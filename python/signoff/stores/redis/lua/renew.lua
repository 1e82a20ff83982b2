-- Extend leases, and have a subject wake when they end.
--
-- KEYS  agenda, far, the subject that goes along (any key where there is none), then the subjects.
-- ARGV  owner, end of the leases, the same in milliseconds, ref of what goes along ('' none), when that wakes; then of each
--       subject its ref and epoch.
-- Returns the places among the subjects of those whose lease is lost.
local AGENDA, FAR = KEYS[1], KEYS[2]
local owner, ends, ends_ms, along, wake = unpack(ARGV, 1, 5)
if along ~= '' then
  local old = call('HMGET', KEYS[3], 'h', 'l')
  if old[1] then
    local h = sub(old[1], 1, 18) .. wake .. sub(old[1], 27)
    call('HSET', KEYS[3], 'h', h, 'l', schedule(AGENDA, along, old[1], h, old[2]))
  end
end
local lost = {}
for i = 4, #KEYS do
  local ref, epoch = ARGV[(i - 4) * 2 + 6], ARGV[(i - 4) * 2 + 7]
  local old = call('HMGET', KEYS[i], 'h', 'l')
  local h, l = old[1], old[2]
  if not h or sub(l, 1, 4) ~= epoch or sub(l, 49) ~= '1' .. owner or sub(h, 35, 35) ~= '1' then
    lost[#lost + 1] = i - 4
  else
    local length = parse('>I8', l, 9)
    l = schedule(AGENDA, ref, h, h, sub(l, 1, 16) .. ends .. sub(l, 25))
    call('HSET', KEYS[i], 'l', l)
    call('ZADD', FAR, string.format('%.0f', tonumber(ends_ms) - 2 * length), ref)
  end
end
return lost
