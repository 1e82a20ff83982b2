-- Write a group of Changes, in their order, each on its own.
--
-- Redis undoes nothing: whatever a Change writes is written after its last comparison.
--
-- KEYS  agenda, index, marks, meta, paths, ends, far, doomed, outbox, moved; then what each Change names.
-- ARGV  how many, how many marks are remembered, the number of this shard, which data it is; then for each Change: sort,
--       mark, how many posts, how many of them are placed here, their arguments, its own arguments.
-- Returns for each Change {0, starts of what was appended}, {1} its epoch is past, {2, n} the version of its n-th stream
-- is another (0: of the subject), {3} it must be sent anew with other keys, or {4} to another shard; what follows one
-- of these two was not looked at.
local AGENDA, INDEX, MARKS, META, PATHS, ENDS, FAR, DOOMED, OUTBOX, MOVED = unpack(KEYS, 1, 10)
local a, k = 5, 11 -- the next argument and the next key
local stamp, given = 0, nil
local ME = ARGV[3]
local SMALL = 1000
local ELSEWHERE = 4

local function args(count)
  a = a + count
  return unpack(ARGV, a - count, a - 1)
end

local function keys(count)
  k = k + count
  return unpack(KEYS, k - count, k - 1)
end

-- A number for what is listed: in the order of first writing. A shard alone counts; several go by the time (`stamp`).
local function number()
  if not given then given = tonumber(call('HGET', META, 'number') or 0) end
  given = math.max(given + 1, stamp)
  return pack('>I7', given)
end

-- ------------------------------------------------------------------------------------------------------- parts

local function put_part(owner, hash, kind, field, sort, value)
  local old = call('HGET', hash, field)
  local place = old and sub(old, 1, 15) or sort .. number()
  local rest = place .. owner .. field
  if not old then call('ZADD', INDEX, 0, kind .. '*' .. rest) end
  call('HSET', hash, field, place .. value)
  list_terms(INDEX, kind, old and part_terms(old) or '', part_terms(place .. value), rest)
  return not old
end

-- ----------------------------------------------------------------------------------------------------- streams
-- Take a stream's name away at once. What it held, if it is much, goes later.
local function doom(path, head, list, rows, producers, id, old_list, old_rows, old_producers)
  call('DEL', head)
  call('ZREM', PATHS, path)
  call('ZREM', ENDS, path)
  local much = false
  for _, pair in ipairs({{list, old_list, 'LLEN'}, {rows, old_rows, 'HLEN'}, {producers, old_producers, 'HLEN'}}) do
    local held = call(pair[3], pair[1])
    if held > SMALL then
      call('RENAME', pair[1], pair[2])
      much = true
    elseif held > 0 then
      call('UNLINK', pair[1])
    end
  end
  if much then call('RPUSH', DOOMED, id) end
end

-- ---------------------------------------------------------------------------------------------------- subjects

-- Find the first append to an own stream that is closed, or that would be new where another stream is.
local function refused_append(own, first, key, count)
  local closed = {}
  for i = 0, count - 1 do
    local path, here = ARGV[first + i * 5], ARGV[first + i * 5 + 4]
    local is = closed[path]
    if is == nil and own[path] then is = own[path].closed end
    if is then return {2, i + 1} end
    if is == nil then
      if here == 'x' or call('EXISTS', KEYS[key + i * 2]) == 1 then return {2, i + 1} end
      if not is_ours(MOVED, path, here, ME) then return {ELSEWHERE} end
    end
    closed[path] = ARGV[first + i * 5 + 3] == '1'
  end
end

local function append_all(ref, own, order, count, seed, result)
  for i = 1, count do
    local path, data, units, close = args(5)
    local head, list = keys(2)
    local one = own[path]
    if not one then
      one = {tail = 0}
      own[path] = one
      order[#order + 1] = path
      make_engine(PATHS, head, path, seed, #order, ref)
    end
    result[#result + 1] = one.tail
    units = tonumber(units)
    if units > 0 then call('RPUSH', list, pack('>I8I4', one.tail, units) .. data) end
    one.tail, one.closed = one.tail + units, close == '1'
    if one.closed then
      local core = call('HGET', head, 'c')
      call('HSET', head, 'c', sub(core, 1, 41) .. '1' .. sub(core, 43))
    end
  end
end

local function write_parts(owner, kinds, dropped, put)
  for _ = 1, dropped do
    local kind, field = args(2)
    local hash = keys(1)
    local old = call('HGET', hash, field)
    if old then drop_part(INDEX, owner, hash, kind, field, old) end
  end
  for _ = 1, put do
    local kind, field, sort, value = args(4)
    local hash = keys(1)
    if put_part(owner, hash, kind, field, sort, value) then
      local named = pack('>I4', #kind) .. kind
      if not string.find(kinds, named, 1, true) then kinds = kinds .. named end
    end
  end
  return kinds
end

local function write_subject()
  local ref, kind, id, expect, epoch, release, h, sort, terms, state, seed, time = args(12)
  local appends, dropped, put = args(3)
  appends, dropped, put = tonumber(appends), tonumber(dropped), tonumber(put)
  local key = keys(1)
  local after_a, after_k = a + appends * 5 + dropped * 2 + put * 4, k + appends * 2 + dropped + put
  local old = call('HMGET', key, 'h', 'l', 't', 'o', 'k')
  local old_h, l = old[1], old[2]
  local conflict
  if epoch ~= '' and (not old_h or sub(l, 1, 4) ~= epoch or sub(l, 49, 49) ~= '1') then
    conflict = {1}
  elseif (old_h and sub(old_h, 1, 8) or ordered(0)) ~= expect then
    conflict = {2, 0}
  end
  local own, order
  if not conflict and appends > 0 then
    own, order = own_streams(old[4] or '')
    conflict = refused_append(own, a, k, appends)
  end
  if conflict then
    a, k = after_a, after_k
    return conflict
  end
  stamp = tonumber(time)
  local result = {0}
  local fields = {'h', h, 's', state}
  local old_terms = old[3] or ''
  if not old_h then
    l = NO_LEASE .. sort .. number() .. '0'
    call('ZADD', INDEX, 0, kind .. '*' .. sub(l, 34, 48) .. id)
  end
  if appends > 0 then
    append_all(ref, own, order, appends, seed, result)
    fields[#fields + 1], fields[#fields + 2] = 'o', own_text(own, order)
    l = sub(l, 1, 4) .. '\0\0\0\0' .. sub(l, 9)
  end
  if release == '1' and sub(l, 49, 49) == '1' then
    l = sub(l, 1, 16) .. NONE .. sub(l, 25, 48) .. '0'
    call('ZREM', FAR, ref)
  end
  l = schedule(AGENDA, ref, old_h or h, h, l)
  if l ~= old[2] then fields[#fields + 1], fields[#fields + 2] = 'l', l end
  if terms ~= old_terms then
    list_terms(INDEX, kind, old_terms, terms, sub(l, 34, 48) .. id)
    fields[#fields + 1], fields[#fields + 2] = 't', terms
  end
  if dropped + put > 0 then
    local kinds = write_parts(pack('>I4', #ref) .. ref, old[5] or '', dropped, put)
    if kinds ~= old[5] then fields[#fields + 1], fields[#fields + 2] = 'k', kinds end
  end
  call('HSET', key, unpack(fields))
  return result
end

-- Delete the streams of a subject that goes. One that has forks is kept for them.
local function disown(own, order, seed)
  for _, path in ipairs(order) do
    local id = args(1)
    local head, list, rows, producers, old_list, old_rows, old_producers = keys(7)
    local core = call('HGET', head, 'c')
    if sub(core, 17, 24) == ordered(0) then
      doom(path, head, list, rows, producers, id, old_list, old_rows, old_producers)
    else
      core = sub(seed, 1, 8) .. sub(core, 9, 42) .. '1' .. sub(core, 44)
      call('HSET', head, 'c', core)
      call('HDEL', head, 'o')
    end
  end
end

local function delete_subject()
  local ref, kind, id, expect, known_own, known_kinds, seed, streams, kinds = args(9)
  streams, kinds = tonumber(streams), tonumber(kinds)
  local key = keys(1)
  local after_a, after_k = a + streams + kinds * 2, k + streams * 7 + kinds * 2
  local old = call('HMGET', key, 'h', 'l', 't', 'o', 'k')
  local h, l = old[1], old[2]
  local conflict
  if not h or sub(h, 1, 8) ~= expect then
    conflict = {2, 0}
  elseif (old[4] or '') ~= known_own or (old[5] or '') ~= known_kinds then
    conflict = {3}
  end
  if conflict then
    a, k = after_a, after_k
    return conflict
  end
  local place = sub(l, 34, 48)
  disown(own_streams(known_own), select(2, own_streams(known_own)), seed)
  local owner = pack('>I4', #ref) .. ref
  for _ = 1, kinds do
    local part_kind, id = args(2)
    local hash, old_hash = keys(2)
    if call('HLEN', hash) > SMALL then
      call('RENAME', hash, old_hash)
      call('RPUSH', DOOMED, id .. pack('>I4', #part_kind) .. part_kind .. owner)
    else
      local all = call('HGETALL', hash)
      for i = 1, #all, 2 do drop_part(INDEX, owner, hash, part_kind, all[i], all[i + 1]) end
    end
  end
  list_terms(INDEX, kind, old[3] or '', '', place .. id)
  call('ZREM', INDEX, kind .. '*' .. place .. id)
  if sub(l, 25, 25) ~= '-' then call('ZREM', AGENDA, entry(h, sub(l, 25, 25), sub(l, 26, 33), ref)) end
  call('ZREM', FAR, ref)
  call('DEL', key)
  return {0}
end

-- ---------------------------------------------------------------------------------------- applications' streams
-- A write is: w, path, expect, version, whether it may be made here, core, incarnation, rest, end of its life, producer,
-- its mark, batches; keys: head, list, producers. A deletion is: d, path, expect, version, whether it may be made here,
-- id; keys: the stream's four and what they are renamed to.

local function refused_write(count)
  local versions, at, key = {}, a, k
  local refused
  for i = 1, count do
    local what, path, expect, version, here = unpack(ARGV, at, at + 4)
    local now = versions[path]
    if not now then
      local core = call('HGET', KEYS[key], 'c')
      now = core and sub(core, 1, 8) or here == 'x' and NONE or ordered(0)
      if not core and not refused and here ~= 'x' and not is_ours(MOVED, path, here, ME) then refused = {ELSEWHERE} end
    end
    if not refused and (now ~= expect or (what == 'd' and now == ordered(0))) then refused = {2, i} end
    versions[path] = version
    if what == 'd' then at, key = at + 6, key + 7 else at, key = at + 12 + tonumber(ARGV[at + 11]), key + 3 end
  end
  return refused, at, key
end

local function write_stream(mark)
  local path, _, _, _, core, incarnation, rest, ends, producer, producer_mark, batches = args(11)
  local head, list, producers = keys(3)
  local old = call('HGET', head, 'c')
  if old then
    local engine = sub(old, 41, 41)
    core = sub(core, 1, 8) .. sub(old, 9, 16) .. sub(core, 17, 32) .. sub(old, 33, 40) .. engine
      .. (engine == '1' and sub(old, 42, 42) or sub(core, 42, 42)) .. sub(core, 43)
  end
  call('HSET', head, 'c', core, 'i', incarnation, 'd', rest, 'm', mark)
  if not old then call('ZADD', PATHS, 0, path) end
  if sub(core, 44, 44) == '1' then
    call('ZADD', ENDS, ends, path)
  elseif old and sub(old, 44, 44) == '1' then
    call('ZREM', ENDS, path)
  end
  for _ = 1, tonumber(batches) do call('RPUSH', list, args(1)) end
  if producer_mark ~= '' then call('HSET', producers, producer, producer_mark) end
end

local function write_family(mark)
  local count = tonumber(args(1))
  local refused, after_a, after_k = refused_write(count)
  if refused then
    a, k = after_a, after_k
    return refused
  end
  for _ = 1, count do
    if args(1) == 'd' then
      local path, _, _, _, id = args(5)
      local head, list, rows, producers, old_list, old_rows, old_producers = keys(7)
      doom(path, head, list, rows, producers, id, old_list, old_rows, old_producers)
    else
      write_stream(mark)
    end
  end
  return {0}
end

-- --------------------------------------------------------------------------------------------------- live rows

local function drop_history(list, core, base)
  local tail = tail_of(list, core)
  while true do
    local some = call('LRANGE', list, 0, 99)
    local gone = 0
    for _, batch in ipairs(some) do
      local start, count = parse('>I8I4', batch)
      if start + count > base then break end
      gone = gone + 1
    end
    if gone > 0 then call('LTRIM', list, gone, -1) end
    if gone < 100 then break end
  end
  if call('EXISTS', list) == 1 then return sub(core, 33, 40) end
  return pack('>I8', tail)
end

local function write_rows(mark)
  local path, here, incarnation, expect, at, clear, base, base_ordered, refs, version, gone, put = args(12)
  gone, put = tonumber(gone), tonumber(put)
  local head, list, rows = keys(3)
  local after_a = a + gone + put * 2
  local old = call('HMGET', head, 'c', 'i')
  local core = old[1]
  if not core and not is_ours(MOVED, path, here, ME) then
    a = after_a
    return {ELSEWHERE}
  end
  if not core or old[2] ~= incarnation or sub(core, 9, 16) ~= expect or at > ordered(tail_of(list, core))
    or (base ~= '' and sub(core, 17, 24) ~= refs) then
    a = after_a
    return {2, 1}
  end
  local bytes = 0
  if clear == '1' then
    call('UNLINK', rows)
    bytes = -tonumber(call('HGET', head, 'b') or 0)
  end
  for _ = 1, gone do
    local field = args(1)
    local row = call('HGET', rows, field)
    if row then
      bytes = bytes - #row + 8
      call('HDEL', rows, field)
    end
  end
  for _ = 1, put do
    local field, row = args(2)
    local before = call('HGET', rows, field)
    if before then row = sub(before, 1, 8) .. sub(row, 9) end
    bytes = bytes + #row - (before and #before or 8)
    call('HSET', rows, field, row)
  end
  if bytes ~= 0 then call('HINCRBY', head, 'b', bytes) end
  core = sub(core, 1, 8) .. at .. sub(core, 17)
  if base ~= '' then
    local floor = drop_history(list, core, tonumber(base))
    core = version .. sub(core, 9, 24) .. base_ordered .. floor .. sub(core, 41)
  end
  call('HSET', head, 'c', core)
  return {0}
end

-- ------------------------------------------------------------------------------------------------------- posts
-- A post is: where (1 here, 0 in another shard), path, units, data, what a new stream is made of, whether it may be made
-- here; keys, if it is placed here: head, list. For another shard its data is all that the relay needs.

-- Find out whether all that shall be placed here can be.
local function are_ours(posts, first, key)
  for i = 0, posts - 1 do
    local where, path, here = ARGV[first + i * 6], ARGV[first + i * 6 + 1], ARGV[first + i * 6 + 5]
    if where == '1' then
      if here ~= 'o' and call('EXISTS', KEYS[key]) == 0 and not is_ours(MOVED, path, here, ME) then return false end
      key = key + 2
    end
  end
  return true
end

local function send(posts, first, key, result)
  for i = 0, posts - 1 do
    local where, path, units, data, seed = unpack(ARGV, first + i * 6, first + i * 6 + 4)
    if where == '1' then
      local head, list = KEYS[key], KEYS[key + 1]
      key = key + 2
      local core = call('HGET', head, 'c') or make_engine(PATHS, head, path, seed, 1)
      local tail = tail_of(list, core)
      units = tonumber(units)
      if units > 0 then call('RPUSH', list, pack('>I8I4', tail, units) .. data) end
      result[#result + 1] = tail
    else
      call('RPUSH', OUTBOX, pack('>I8', call('HINCRBY', META, 'sent', 1)) .. data)
      result[#result + 1] = -1
    end
  end
end

-- ---------------------------------------------------------------------------------------------------- the group

-- Whoever opens a store that is not there gives it a name of its own (`id`).
if call('HGET', META, 'id') ~= ARGV[4] then return redis.error_reply('-GONE the data') end

local writers = {S = write_subject, D = delete_subject, F = write_family, R = write_rows}
local results, marks = {}, {}
for i = 1, tonumber(ARGV[1]) do
  local what, mark, posts, placed = args(4)
  posts = tonumber(posts)
  local first, key = a, k
  a, k = a + posts * 6, k + tonumber(placed) * 2
  local result
  if posts > 0 and not are_ours(posts, first, key) then result = {ELSEWHERE} else result = writers[what](mark) end
  results[i] = result
  if result[1] > 2 then break end
  if result[1] == 0 then
    if posts > 0 then send(posts, first, key, result) end
    if mark ~= NONE then marks[#marks + 1] = mark end
  end
end
if given then call('HSET', META, 'number', string.format('%.0f', given)) end
if #marks > 0 then
  local kept = call('RPUSH', MARKS, unpack(marks))
  local most = tonumber(ARGV[2])
  if kept > most then call('LTRIM', MARKS, -most, -1) end
end
return results
