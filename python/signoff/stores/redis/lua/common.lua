-- What all scripts share: how a subject's two packed fields are laid out, and when one is due.
--
-- No integer of 64 bits becomes a Lua number, which has 53: they are compared, and kept, as texts of 8 bytes, the most
-- significant first, moved up by 2^63 so that they sort as numbers do. Positions in streams are plain, and small.
--
-- A subject is a hash:
--   h  what its writer says:  version 1-8, mark 9-16, ready 17, quiet 18, wake_at 19-26, updated_at 27-34,
--                             whether it has a queue 35, queue 36-
--   l  what is the store's:   epoch 1-4, lost 5-8, length of the lease 9-16, end of the lease 17-24,
--                             class in the agenda 25, order in it 26-33, place in listings 34-48,
--                             whether it is leased 49, by whom 50-
--   t terms, each after a zero byte; s state; o own streams; k kinds of its parts
local call, sub, pack, parse = redis.call, string.sub, struct.pack, struct.unpack
local NONE = string.rep('\0', 8)
local NO_LEASE = pack('>I4I4', 0, 0) .. NONE .. NONE .. '-' .. NONE

-- From when on a claim may find a subject: its class and the time. Never (-), when its lease ends (l), which is a time
-- of the server's clock, at once (r), or at a time (t) of whoever said it.
local function due(h, l)
  if sub(h, 35, 35) ~= '1' then return '-', NONE end
  local ends, wake = sub(l, 17, 24), sub(h, 19, 26)
  if ends ~= NONE then return 'l', ends end
  if sub(h, 17, 17) == '1' then return 'r', NONE end
  if wake ~= NONE then return 't', wake end
  return '-', NONE
end

local function entry(h, class, order, ref)
  local queue = sub(h, 36)
  return pack('>I4', #queue) .. queue .. class .. order .. ref
end

-- Move a subject within the agenda from where it is (old_h, l) to where it belongs (h, l); return l as it is then.
-- What stays ready in its queue keeps its place.
local function schedule(agenda, ref, old_h, h, l)
  local class, order = due(h, l)
  local was, was_order = sub(l, 25, 25), sub(l, 26, 33)
  local stays = was == class and sub(old_h, 35) == sub(h, 35)
  if class == 'r' then order = stays and was_order or sub(h, 27, 34) end
  if stays and order == was_order then return l end
  if was ~= '-' then call('ZREM', agenda, entry(old_h, was, was_order, ref)) end
  if class ~= '-' then call('ZADD', agenda, 0, entry(h, class, order, ref)) end
  return sub(l, 1, 24) .. class .. order .. sub(l, 34)
end

local function ordered(number)
  return '\128' .. sub(pack('>I8', number), 2)
end

-- Where a stream ends: behind its last batch, or where it begins if it has none.
local function tail_of(list, core)
  local last = call('LINDEX', list, -1)
  if last then
    local start, count = parse('>I8I4', last)
    return start + count
  end
  return (parse('>I8', core, 33))
end

-- Whether a stream may be made here. Each path has one shard that makes its streams: the one that its name says
-- (`here`: 1), unless that gave it away; each note of where it went has a number, and the highest is right.
-- Who has one shard alone asks nobody (`here`: o); `x` says that there is a stream in another shard.
local function is_ours(moved, path, here, me)
  if here == 'o' then return true end
  local note = call('HGET', moved, path)
  if not note then return here == '1' end
  return string.match(note, ' (.*)') == me
end

-- Make a stream of the engine's, which has no version that any stream had before; return its core.
-- A head is a hash: c version 1-8, rows_at 9-16, refs 17-24, base 25-32, floor 33-40, engine 41, closed 42, deleted 43,
-- mortal 44; i incarnation; d the rest of an application's; m the mark of its last write; b bytes of live rows; o the subject whose own it is.
-- A batch is start 1-8, count 9-12, data.
local function make_engine(paths, head, path, seed, nth, owner)
  local core = sub(seed, 1, 8) .. ordered(0) .. ordered(0) .. ordered(0) .. NONE .. '1000'
  call('HSET', head, 'c', core, 'i', sub(seed, 9) .. string.format('%08x', nth))
  if owner then call('HSET', head, 'o', owner) end
  call('ZADD', paths, 0, path)
  return core
end

local function terms_of(text)
  local found = {}
  for term in string.gmatch(text, '%z([^%z]*)') do found[term] = true end
  return found
end

local function list_terms(index, kind, old, new, rest)
  if old == new then return end
  local before, after = terms_of(old), terms_of(new)
  for term in pairs(before) do
    if not after[term] then call('ZREM', index, kind .. '=' .. term .. '\0' .. rest) end
  end
  for term in pairs(after) do
    if not before[term] then call('ZADD', index, 0, kind .. '=' .. term .. '\0' .. rest) end
  end
end

-- An own stream in a subject is closed 1, tail 2-9, length of the path, path.

local function own_streams(text)
  local at, found, order = 1, {}, {}
  while at <= #text do
    local size = parse('>I4', text, at + 9)
    local path = sub(text, at + 13, at + 12 + size)
    found[path] = {closed = sub(text, at, at) == '1', tail = parse('>I8', text, at + 1)}
    order[#order + 1] = path
    at = at + 13 + size
  end
  return found, order
end

local function own_text(found, order)
  local parts = {}
  for i, path in ipairs(order) do
    local one = found[path]
    parts[i] = (one.closed and '1' or '0') .. pack('>I8I4', one.tail, #path) .. path
  end
  return table.concat(parts)
end

-- A part is kept as place 1-15, open 16, length of its terms 17-20, terms, state.
local function part_terms(value)
  return sub(value, 21, 20 + parse('>I4', value, 17))
end

local function drop_part(index, owner, hash, kind, field, value)
  local rest = sub(value, 1, 15) .. owner .. field
  list_terms(index, kind, part_terms(value), '', rest)
  call('ZREM', index, kind .. '*' .. rest)
  call('HDEL', hash, field)
end
