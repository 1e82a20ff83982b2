-- Drop a piece of what a deleted stream, or subject, held.
--
-- KEYS  doomed, index, then what batches, live rows, producers and parts were renamed to.
-- ARGV  what is doomed: an id of 16 characters, and of parts their kind and their owner; how many batches, or parts, to
--       drop at most.
-- Returns how many are left.
local DOOMED, INDEX, list, rows, producers, parts = unpack(KEYS, 1, 6)
local doomed, most = ARGV[1], tonumber(ARGV[2])
local gone = true
if #doomed > 16 then
  local size = parse('>I4', doomed, 17)
  local kind, owner = sub(doomed, 21, 20 + size), sub(doomed, 21 + size)
  -- At random, not by HSCAN: a scan from the beginning looks at so many places, and once what was there is gone it
  -- finds nothing and gets no further.
  local some = call('HRANDFIELD', parts, most, 'WITHVALUES')
  for i = 1, #some, 2 do drop_part(INDEX, owner, parts, kind, some[i], some[i + 1]) end
  gone = call('EXISTS', parts) == 0
elseif call('LLEN', list) > most then
  call('LTRIM', list, most, -1)
  gone = false
else
  call('UNLINK', list, rows, producers)
end
if gone then call('LREM', DOOMED, 1, doomed) end
return call('LLEN', DOOMED)
