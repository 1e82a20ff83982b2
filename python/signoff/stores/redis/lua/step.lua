-- Write records as steps leave them, with what they append to streams of their own that are there: what is written most,
-- and half the time of `commit`. Where a record is not as such a Change expects, or more would have to be moved than this
-- looks at (terms, queue, lease, a stream that is new or closed), nothing of that Change is written, and `commit` looks.
--
-- KEYS  meta, marks; then for each Change: the subject, and the list of each append.
-- ARGV  how many marks are remembered; then for each Change: expect 1-8, epoch 9-12, header 13-; terms; state; how many
--       appends; for each append: path; units 1-4, data.
-- Returns for each Change the starts of what was appended, or 0.
local call, sub, pack, parse = redis.call, string.sub, struct.pack, struct.unpack
local NONE, NEVER = string.rep('\0', 8), '\0\0\0\0'

-- Find an own stream: where its entry begins in the text of all (`common.lua`), and how far it has grown.
local function find(own, path)
  local at = 1
  while at <= #own do
    local tail, size = parse('>I8I4', own, at + 1)
    if sub(own, at + 13, at + 12 + size) == path then
      if sub(own, at, at) == '1' then return nil end
      return at, tail
    end
    at = at + 13 + size
  end
end

-- Whether a record can be written at its place: same version, held by the same lease, listed and due as it was.
local function stays(asked, h, l, same_terms)
  return h and l and same_terms and sub(h, 1, 8) == sub(asked, 1, 8) and sub(l, 1, 4) == sub(asked, 9, 12)
    and sub(l, 49, 49) == '1' and sub(h, 35, 35) == '1' and sub(h, 35) == sub(asked, 47)
    and sub(l, 25, 25) == 'l' and sub(l, 17, 24) ~= NONE and sub(l, 26, 33) == sub(l, 17, 24)
end

if call('HEXISTS', KEYS[1], 'shards') == 0 then return redis.error_reply('-GONE the data') end
local a, k = 2, 3
local results, marks = {}, {}
while a < #ARGV do
  local asked, count, key = ARGV[a], tonumber(ARGV[a + 3]), KEYS[k]
  local old = call('HMGET', key, 'h', 'l', 't', 'o')
  local l, own = old[2], old[4] or ''
  local starts = {}
  local fine = stays(asked, old[1], l, (old[3] or '') == ARGV[a + 1])
  for i = 1, fine and count or 0 do
    local at, tail = find(own, ARGV[a + 2 + 2 * i])
    if not at then
      fine = false
      break
    end
    starts[i] = tail
    own = sub(own, 1, at) .. pack('>I8', tail + parse('>I4', ARGV[a + 3 + 2 * i])) .. sub(own, at + 9)
  end
  if fine then
    for i = 1, count do
      local text = ARGV[a + 3 + 2 * i]
      if sub(text, 1, 4) ~= NEVER then call('RPUSH', KEYS[k + i], pack('>I8', starts[i]) .. text) end
    end
    if count == 0 or sub(l, 5, 8) == NEVER then
      call('HSET', key, 'h', sub(asked, 13), 's', ARGV[a + 2], 'o', own)
    else
      call('HSET', key, 'h', sub(asked, 13), 's', ARGV[a + 2], 'o', own, 'l', sub(l, 1, 4) .. NEVER .. sub(l, 9))
    end
    marks[#marks + 1] = sub(asked, 21, 28)
    results[#results + 1] = starts
  else
    results[#results + 1] = 0
  end
  a, k = a + 4 + 2 * count, k + 1 + count
end
if #marks > 0 then
  local kept, most = call('RPUSH', KEYS[2], unpack(marks)), tonumber(ARGV[1])
  if kept > most then call('LTRIM', KEYS[2], -most, -1) end
end
return results
