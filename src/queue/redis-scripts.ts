/**
 * The steps of the Redis queue, each one Lua script and so atomic. Every script may run twice with the same
 * arguments and then answers as it did the first time: a connection that breaks leaves unknown whether a step
 * was taken, and repeating it is the only safe answer. (`spendRates` alone counts twice then: too much is on the
 * safe side there.) Every script checks all it needs before its first
 * write, because Redis does not take back the writes of a script that fails half-way.
 *
 * Keys, all under one hash tag, so that a partition lives on one node of a cluster (`{relay:0}:…`):
 *
 *   store                  hash: epoch (random, made once), partitions, format; bytes (the sum of the bodies'
 *                          sizes) and fence (counts the leases given)
 *   items                  zset of item ids, all of score 0: the listing, and the count
 *   connectors             hash: connector → number of its items
 *   corrupt                hash: item id → the record that could not be read
 *   due: suspended:        zset per connector: item id by next attempt
 *   leased:                zset per connector: item id by end of the lease
 *   deadlines              zset: id of each item that is due or deferred by its deadline
 *   item:<item id>         hash: j record, c connector, d next attempt, x deadline, h held (1 where suspended),
 *                          f fence of the last lease, l its end, o the call that took it, s the call that settled it
 *   message:<message id>   hash: size, refs (items that need the body), by (the call that put it),
 *                          body or, where it was staged, chunks and name (without one: the message's id)
 *   body:<name>            hash: chunk number → bytes; expires until its message is put
 *   gone:<item id>         the call that removed the item, for a while: what arrives late finds it
 *   rate:<limit>:<length>:<key>  hash: slot of time → what was granted in it (rate.ts), and most, the limit; expires
 *   rates                  zset: <limit>:<length>:<key> by how full it was when it was last counted; also for a
 *                          while those whose hash has expired. Both in the first partition
 *
 * Adding (`put`, `append`) is refused by Redis when its memory is full; everything else must go on then, or the
 * queue could not drain: hence `allow-oom`, which needs Redis 7. Numbers are returned as strings.
 */

/** Fences of different partitions differ by being counted in steps of this. */
export const mostPartitions = 16

/** How long a removed item is remembered: longer than a step can be repeated or arrive late. */
const rememberMs = 120_000

/** A body that is staged and never put is gone after this time. */
const stagedSeconds = 3600

/** At most so many leases that ran out come back in one claim, per connector. */
const reclaimLimit = 100

const shared = `
local base = string.sub(KEYS[1], 1, -6)

-- Makes an item that is not leased claimable, or not, as it is suspended.
local function index(id, connector, due, deadline, held)
  if held == '1' then
    redis.call('ZADD', base .. 'suspended:' .. connector, due, id)
  else
    redis.call('ZADD', base .. 'due:' .. connector, due, id)
    redis.call('ZADD', base .. 'deadlines', deadline, id)
  end
end

local function unindex(id, connector)
  if redis.call('ZREM', base .. 'leased:' .. connector, id) == 1 then return end
  if redis.call('ZREM', base .. 'suspended:' .. connector, id) == 1 then return end
  redis.call('ZREM', base .. 'due:' .. connector, id)
  redis.call('ZREM', base .. 'deadlines', id)
end

local function count(connector, by)
  if redis.call('HINCRBY', base .. 'connectors', connector, by) < 1 then
    redis.call('HDEL', base .. 'connectors', connector)
  end
end

-- Greater than that of any lease before it, and never that of another item.
local function newFence()
  return redis.call('HINCRBY', KEYS[1], 'fence', ${mostPartitions})
end

-- What stands in the arguments for one item: id, connector, next attempt, deadline, held, record, end of the lease.
local itemWidth = 7

local function add(at, call)
  local id, connector, due, deadline, held, record, leasedUntil = unpack(ARGV, at, at + 6)
  local fence = leasedUntil == '0' and 0 or newFence()
  redis.call('HSET', base .. 'item:' .. id, 'j', record, 'c', connector, 'd', due, 'x', deadline, 'h', held,
    'f', fence, 'l', leasedUntil, 'o', call)
  if leasedUntil == '0' then
    index(id, connector, due, deadline, held)
  else
    redis.call('ZADD', base .. 'leased:' .. connector, leasedUntil, id)
  end
  redis.call('ZADD', base .. 'items', 0, id)
  count(connector, 1)
  return fence
end

-- And for one message: id, size, number of staged chunks (0: inline), body or name of the stage, number of items,
-- the items.
local messageWidth = 5

local function unstaged(at)
  return ARGV[at + 2] ~= '0' and redis.call('HLEN', base .. 'body:' .. ARGV[at + 3]) ~= tonumber(ARGV[at + 2])
end

local function addMessage(at, call)
  local id, size, chunks, body, n = unpack(ARGV, at, at + 4)
  if chunks == '0' then
    redis.call('HSET', base .. 'message:' .. id, 'by', call, 'size', size, 'refs', n, 'body', body)
  else
    redis.call('HSET', base .. 'message:' .. id, 'by', call, 'size', size, 'refs', n, 'chunks', chunks,
      'name', body)
    redis.call('PERSIST', base .. 'body:' .. body)
  end
  redis.call('HINCRBY', KEYS[1], 'bytes', size)
  local fences = {}
  for i = 1, n do fences[i] = tostring(add(at + messageWidth + (i - 1) * itemWidth, call)) end
  return fences
end

local function remember(id, call)
  redis.call('SET', base .. 'gone:' .. id, call, 'PX', ${rememberMs})
end

local function drop(id, connector, call)
  unindex(id, connector)
  redis.call('UNLINK', base .. 'item:' .. id)
  redis.call('ZREM', base .. 'items', id)
  count(connector, -1)
  remember(id, call)
end

-- Counts the items that need a body; the last one takes it along.
local function refer(messageId, by)
  if by == 0 then return end
  local key = base .. 'message:' .. messageId
  local refs, size, name = unpack(redis.call('HMGET', key, 'refs', 'size', 'name'))
  if (refs or 0) + by > 0 then
    redis.call('HINCRBY', key, 'refs', by)
  else
    redis.call('UNLINK', key, base .. 'body:' .. (name or messageId))
    redis.call('HINCRBY', KEYS[1], 'bytes', 0 - (size or 0))
  end
end

-- An outcome in the arguments: number of items, 1 where a DSN follows, the items, the DSN.
local function outcomeFault(id, at)
  local n = tonumber(ARGV[at])
  for i = 0, n - 1 do
    local other = ARGV[at + 2 + i * itemWidth]
    if other ~= id and redis.call('EXISTS', base .. 'item:' .. other) == 1 then return 'exists' end
  end
  if ARGV[at + 1] == '0' then return end
  local dsn = at + 2 + n * itemWidth
  if redis.call('EXISTS', base .. 'message:' .. ARGV[dsn]) == 1 then return 'exists' end
  if unstaged(dsn) then return 'unstaged' end
end

-- Replaces the item by its outcome.
local function become(id, connector, at, call)
  local n = tonumber(ARGV[at])
  local stays = false
  for i = 0, n - 1 do
    local from = at + 2 + i * itemWidth
    if ARGV[from] ~= id then
      add(from, call)
    else
      local _, to, due, deadline, held, record = unpack(ARGV, from, from + 5)
      stays = true
      unindex(id, connector)
      redis.call('HSET', base .. 'item:' .. id, 'j', record, 'c', to, 'd', due, 'x', deadline, 'h', held,
        'l', 0, 's', call)
      index(id, to, due, deadline, held)
      if to ~= connector then
        count(to, 1)
        count(connector, -1)
      end
    end
  end
  if not stays then drop(id, connector, call) end
  refer(string.sub(id, 1, 20), n - 1)
  if ARGV[at + 1] == '1' then addMessage(at + 2 + n * itemWidth, call) end
end

local function setAside(id, connector, record)
  redis.call('HSET', base .. 'corrupt', id, record)
  unindex(id, connector)
  redis.call('ZREM', base .. 'items', id)
  redis.call('UNLINK', base .. 'item:' .. id)
  count(connector, -1)
end
`

/** What both ways of claiming share. Arguments: now, end of the leases, call, again, reclaim, most items, most bytes. */
const leasing = `
local now, leasedUntil, call, again, reclaim = unpack(ARGV, 1, 5)
local items, bytes = tonumber(ARGV[6]), tonumber(ARGV[7])

local function take(answer, id, fence, record)
  local body = false
  local message = base .. 'message:' .. string.sub(id, 1, 20)
  local size = tonumber(redis.call('HGET', message, 'size') or bytes + 1)
  if size <= bytes and size <= ${64 * 1024} then
    body = redis.call('HGET', message, 'body')
    if body then bytes = bytes - size end
  end
  items = items - 1
  table.insert(answer, id)
  table.insert(answer, fence)
  table.insert(answer, record)
  table.insert(answer, body)
end

local function lease(answer, id, connector)
  local key = base .. 'item:' .. id
  local item = redis.pcall('HMGET', key, 'j')
  if item.err or not item[1] then
    setAside(id, connector, item.err or '')
    return
  end
  local fence = newFence()
  redis.call('HSET', key, 'f', fence, 'l', leasedUntil, 'o', call)
  redis.call('ZREM', base .. 'due:' .. connector, id)
  redis.call('ZREM', base .. 'deadlines', id)
  redis.call('ZADD', base .. 'leased:' .. connector, leasedUntil, id)
  take(answer, id, tostring(fence), item[1])
end

local function reclaimExpired(connector)
  local leased = base .. 'leased:' .. connector
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, ${reclaimLimit})) do
    redis.call('ZREM', leased, id)
    local due, deadline, held = unpack(redis.call('HMGET', base .. 'item:' .. id, 'd', 'x', 'h'))
    index(id, connector, due or now, deadline or now, held)
  end
end

-- A claim that is repeated gets what it leased the first time.
local function takeOwn(answer, connector, limit)
  local taken = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', base .. 'leased:' .. connector, leasedUntil, leasedUntil)) do
    local owner, fence, record = unpack(redis.call('HMGET', base .. 'item:' .. id, 'o', 'f', 'j'))
    if owner == call and taken < limit then
      take(answer, id, fence, record)
      taken = taken + 1
    end
  end
  return taken
end
`

const adding = (text: string): string => `#!lua\n${shared}${text}`
const draining = (text: string): string => `#!lua flags=allow-oom\n${shared}${text}`
const reading = (text: string): string => `#!lua flags=no-writes,allow-oom\n${shared}${text}`

export const redisScripts = {
  /** epoch, partitions, format, number of the partition → what the store had before, or has now. */
  openStore: draining(`
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[2])
redis.call('HSETNX', KEYS[1], 'format', ARGV[3])
redis.call('HSETNX', KEYS[1], 'fence', ARGV[4])
return redis.call('HMGET', KEYS[1], 'epoch', 'partitions', 'format')
`),

  /**
   * epoch, most items, most bytes, call, messages → done (also where it was done before) | epoch | full | exists |
   * unstaged; with done the partition's items and bytes, and the fence of each item, 0 where it is not leased
   */
  putMessages: adding(`
local epoch, bytes = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'bytes'))
if epoch ~= ARGV[1] then return { 'epoch' } end
local call, items, bytes = ARGV[4], redis.call('ZCARD', base .. 'items'), tonumber(bytes or 0)
local messages, ids, traces, size = {}, {}, 0, 0
local at = 5
while at <= #ARGV do
  local keys = { base .. 'message:' .. ARGV[at] }
  table.insert(messages, at)
  size = size + ARGV[at + 1]
  local n = tonumber(ARGV[at + 4])
  at = at + messageWidth
  for _ = 1, n do
    table.insert(ids, ARGV[at])
    table.insert(keys, base .. 'item:' .. ARGV[at])
    table.insert(keys, base .. 'gone:' .. ARGV[at])
    at = at + itemWidth
  end
  traces = traces + redis.call('EXISTS', unpack(keys))
end

if traces > 0 then
  for _, from in ipairs(messages) do
    local by = redis.call('HGET', base .. 'message:' .. ARGV[from], 'by')
    if by and by ~= call then return { 'exists' } end
  end
  local answer = { 'done', tostring(items), tostring(bytes) }
  for _, id in ipairs(ids) do
    local owner, fence, ends = unpack(redis.call('HMGET', base .. 'item:' .. id, 'o', 'f', 'l'))
    table.insert(answer, owner == call and ends ~= '0' and fence or '0')
  end
  return answer
end

items, bytes = items + #ids, bytes + size
if items > tonumber(ARGV[2]) or bytes > tonumber(ARGV[3]) then return { 'full' } end
for _, from in ipairs(messages) do
  if unstaged(from) then return { 'unstaged' } end
end
local answer = { 'done', tostring(items), tostring(bytes) }
for _, from in ipairs(messages) do
  for _, fence in ipairs(addMessage(from, call)) do table.insert(answer, fence) end
end
return answer
`),

  /** call, item ids → done, and how many items there were. A put still under way finds them removed. */
  cancelItems: draining(`
local dropped = 0
for i = 2, #ARGV do
  local connector = redis.call('HGET', base .. 'item:' .. ARGV[i], 'c')
  if connector then
    drop(ARGV[i], connector, ARGV[1])
    refer(string.sub(ARGV[i], 1, 20), -1)
    dropped = dropped + 1
  else
    remember(ARGV[i], ARGV[1])
  end
end
return { 'done', tostring(dropped) }
`),

  /**
   * epoch, most bytes, name of the stage, chunk number, bytes before it, chunk → done | epoch | full | exists: a
   * message has taken the stage
   */
  appendChunk: adding(`
local epoch, bytes = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'bytes'))
if epoch ~= ARGV[1] then return { 'epoch' } end
if redis.call('HGET', base .. 'message:' .. string.sub(ARGV[3], 1, 20), 'name') == ARGV[3] then return { 'exists' } end
if (bytes or 0) + ARGV[5] + string.len(ARGV[6]) > tonumber(ARGV[2]) then return { 'full' } end
redis.call('HSET', base .. 'body:' .. ARGV[3], ARGV[4], ARGV[6])
redis.call('EXPIRE', base .. 'body:' .. ARGV[3], ${stagedSeconds})
return { 'done' }
`),

  /** name of the stage, chunk number → the chunk */
  readChunk: reading(`
return { redis.call('HGET', base .. 'body:' .. ARGV[1], ARGV[2]) }
`),

  /** name of the stage → done; nothing happens where a message has taken it */
  discardStage: draining(`
local name = redis.call('HGET', base .. 'message:' .. string.sub(ARGV[1], 1, 20), 'name')
if name ~= ARGV[1] then redis.call('UNLINK', base .. 'body:' .. ARGV[1]) end
return { 'done' }
`),

  /**
   * leasing, then connector and limit in turn → for each connector that was looked at: when the next is due
   * ('' never), then id, fence, record, body of each. It ends early when it has taken the most; the caller goes on
   * with the connectors that are left.
   */
  claimItems: draining(`${leasing}
local function takeDue(answer, connector, limit)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', base .. 'due:' .. connector, '-inf', now, 'LIMIT', 0, limit)) do
    lease(answer, id, connector)
  end
end

local function nextDue(connector)
  if reclaim == '1' and redis.call('ZCOUNT', base .. 'leased:' .. connector, '-inf', now) > 0 then return now end
  return redis.call('ZRANGE', base .. 'due:' .. connector, 0, 0, 'WITHSCORES')[2] or ''
end

local answers = {}
for at = 8, #ARGV, 2 do
  if items < 1 then break end
  local connector, limit = ARGV[at], math.min(tonumber(ARGV[at + 1]), items)
  local answer = { '' }
  if reclaim == '1' then reclaimExpired(connector) end
  if again == '1' then limit = limit - takeOwn(answer, connector, limit) end
  if limit > 0 then takeDue(answer, connector, limit) end
  answer[1] = nextDue(connector)
  table.insert(answers, answer)
end
return answers
`),

  /** leasing → id, fence, record, body of each item whose deadline has passed */
  claimOverdue: draining(`${leasing}
local answer = {}
for _, connector in ipairs(redis.call('HKEYS', base .. 'connectors')) do
  if reclaim == '1' then reclaimExpired(connector) end
  if again == '1' then takeOwn(answer, connector, items) end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', base .. 'deadlines', '-inf', now, 'LIMIT', 0, items)) do
  local connector = redis.call('HGET', base .. 'item:' .. id, 'c')
  if connector then
    lease(answer, id, connector)
  else
    -- Its record is gone; a claim of its connector meets it in that queue and counts it.
    redis.call('ZREM', base .. 'deadlines', id)
  end
end
return answer
`),

  /**
   * leasing, then connector and limit in turn → for each connector that was looked at: id and next attempt of its
   * first items, one more than the limit, due or not. Ends early as `claimItems` does.
   */
  lookAtDue: draining(`${leasing}
local answers = {}
for at = 8, #ARGV, 2 do
  if items < 1 then break end
  local connector, limit = ARGV[at], math.min(tonumber(ARGV[at + 1]), items)
  if reclaim == '1' then reclaimExpired(connector) end
  items = items - limit
  table.insert(answers, redis.call('ZRANGE', base .. 'due:' .. connector, 0, limit, 'WITHSCORES'))
end
return answers
`),

  /** leasing → id and deadline of the first items whose deadline has passed */
  lookAtOverdue: draining(`${leasing}
if reclaim == '1' then
  for _, connector in ipairs(redis.call('HKEYS', base .. 'connectors')) do reclaimExpired(connector) end
end
return redis.call('ZRANGEBYSCORE', base .. 'deadlines', '-inf', now, 'WITHSCORES', 'LIMIT', 0, items)
`),

  /** now, new end, then item id and fence in turn → 1 for each that is still held, else 0 */
  renewLeases: draining(`
local answers = {}
for at = 3, #ARGV, 2 do
  local key = base .. 'item:' .. ARGV[at]
  local fence, ends, connector = unpack(redis.call('HMGET', key, 'f', 'l', 'c'))
  local held = fence == ARGV[at + 1] and tonumber(ends) > tonumber(ARGV[1])
    and redis.call('ZSCORE', base .. 'leased:' .. connector, ARGV[at])
  if held then
    redis.call('HSET', key, 'l', ARGV[2])
    redis.call('ZADD', base .. 'leased:' .. connector, ARGV[2], ARGV[at])
  end
  table.insert(answers, held and '1' or '0')
end
return answers
`),

  /** item id and fence in turn → done: the leases have ended, and the items are as they were before */
  releaseLeases: draining(`
for at = 1, #ARGV, 2 do
  local id = ARGV[at]
  local fence, connector, due, deadline, held =
    unpack(redis.call('HMGET', base .. 'item:' .. id, 'f', 'c', 'd', 'x', 'h'))
  if fence == ARGV[at + 1] and redis.call('ZREM', base .. 'leased:' .. connector, id) == 1 then
    redis.call('HSET', base .. 'item:' .. id, 'l', 0)
    index(id, connector, due, deadline, held)
  end
end
return { 'done' }
`),

  /** item id, fence, now, call, outcome → done | lost | missing | exists | unstaged */
  settleItem: draining(`
local id, fence, now, call = unpack(ARGV, 1, 4)
local held, ends, connector, settledBy = unpack(redis.call('HMGET', base .. 'item:' .. id, 'f', 'l', 'c', 's'))
if held ~= fence or tonumber(ends) <= tonumber(now) then
  if settledBy == call or redis.call('GET', base .. 'gone:' .. id) == call then return { 'done' } end
  return { held and 'lost' or 'missing' }
end
local fault = outcomeFault(id, 5)
if fault then return { fault } end
become(id, connector, 5, call)
return { 'done' }
`),

  /** item id, now, call, the record as it was read, outcome → done | busy | missing | changed | exists | unstaged */
  changeItem: draining(`
local id, now, call, before = unpack(ARGV, 1, 4)
local key = base .. 'item:' .. id
local record, ends, connector, settledBy = unpack(redis.call('HMGET', key, 'j', 'l', 'c', 's'))
if not record then
  return { redis.call('GET', base .. 'gone:' .. id) == call and 'done' or 'missing' }
end
if settledBy == call then return { 'done' } end
if tonumber(ends) > tonumber(now) then return { 'busy' } end
if record ~= before then return { 'changed' } end
local fault = outcomeFault(id, 5)
if fault then return { fault } end
-- An attempt whose lease ran out must not undo what the operator did.
redis.call('HSET', key, 'f', newFence())
become(id, connector, 5, call)
return { 'done' }
`),

  /**
   * key, then in turn: name of the count, first and last slot that count, slot of now, room beside the amount,
   * amount, life, most → nothing where it is granted; else for each limit the last slot that is in the way, or ''.
   * For each count that is new, two others are looked at, at random, and forgotten where they have expired.
   */
  spendRates: draining(`
local function counted(key, first, last)
  local slots, sum = {}, 0
  local counts = redis.call('HGETALL', key)
  for i = 1, #counts, 2 do
    local slot, amount = tonumber(counts[i]), tonumber(counts[i + 1])
    if slot and (slot < first or slot > last) then
      redis.call('HDEL', key, counts[i])
    elseif slot then
      table.insert(slots, { number = slot, name = counts[i], amount = amount })
      sum = sum + amount
    end
  end
  table.sort(slots, function(a, b) return a.number < b.number end)
  return slots, sum
end

local function lastInTheWay(key, first, last, room)
  local slots, sum = counted(key, first, last)
  local name, before = '', sum
  for _, slot in ipairs(slots) do
    if sum <= room then break end
    sum, name = sum - slot.amount, slot.name
  end
  return name, before
end

local width, answer, before, refused = 8, {}, {}, false
local function keyAt(at) return base .. 'rate:' .. ARGV[at] .. ':' .. ARGV[1] end
for at = 2, #ARGV, width do
  local last, sum =
    lastInTheWay(keyAt(at), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 4]))
  refused = refused or last ~= ''
  before[at] = sum
  table.insert(answer, last)
end
if refused then return answer end

local listed = base .. 'rates'
local function list(at)
  local amount, life, most = unpack(ARGV, at + 5, at + 7)
  if redis.call('ZADD', listed, (before[at] + amount) / most, ARGV[at] .. ':' .. ARGV[1]) == 1 then
    for _, other in ipairs(redis.call('ZRANDMEMBER', listed, 2)) do
      if redis.call('EXISTS', base .. 'rate:' .. other) == 0 then redis.call('ZREM', listed, other) end
    end
  end
  if redis.call('PTTL', listed) < tonumber(life) then redis.call('PEXPIRE', listed, life) end
end
for at = 2, #ARGV, width do
  redis.call('HINCRBY', keyAt(at), ARGV[at + 3], ARGV[at + 5])
  redis.call('HSET', keyAt(at), 'most', ARGV[at + 7])
  redis.call('PEXPIRE', keyAt(at), ARGV[at + 6])
  list(at)
end
return {}
`),

  /**
   * prefix of keys, first and last of the counts to look at, the fullest first → how many there were, how full the
   * last of them was, then for each whose key has the prefix its name and what its hash holds
   */
  readRates: reading(`
local prefix, first, last = unpack(ARGV)
local listed = redis.call('ZREVRANGE', base .. 'rates', first, last, 'WITHSCORES')
local answer = { tostring(#listed / 2), listed[#listed] or '0' }
for i = 1, #listed, 2 do
  local key = string.match(listed[i], '^[^:]+:%d+:(.*)$')
  if key and string.sub(key, 1, #prefix) == prefix then
    table.insert(answer, { listed[i], unpack(redis.call('HGETALL', base .. 'rate:' .. listed[i])) })
  end
end
return answer
`),

  /** item id, the record that could not be read → done */
  setItemAside: draining(`
local record, connector = unpack(redis.call('HMGET', base .. 'item:' .. ARGV[1], 'j', 'c'))
if record == ARGV[2] and connector then setAside(ARGV[1], connector, record) end
return { 'done' }
`),

  /** item id → record and end of its lease, or nothing */
  readItem: reading(`
return redis.call('HMGET', base .. 'item:' .. ARGV[1], 'j', 'l')
`),

  /** first and last id (as of ZRANGEBYLEX), how many, oldest | newest first → id, record, end of its lease of each */
  listItems: reading(`
local answer, ids = {}, nil
if ARGV[4] == 'newest' then
  ids = redis.call('ZREVRANGEBYLEX', base .. 'items', ARGV[2], ARGV[1], 'LIMIT', 0, ARGV[3])
else
  ids = redis.call('ZRANGEBYLEX', base .. 'items', ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
end
for _, id in ipairs(ids) do
  local record, ends = unpack(redis.call('HMGET', base .. 'item:' .. id, 'j', 'l'))
  table.insert(answer, id)
  table.insert(answer, record or '')
  table.insert(answer, ends or '0')
end
return answer
`),

  /** message id, part → number of parts and the bytes of this one (part 0 of 1 where the body is inline) */
  readBody: reading(`
local body, chunks, name = unpack(redis.call('HMGET', base .. 'message:' .. ARGV[1], 'body', 'chunks', 'name'))
if body then return { '1', body } end
if not chunks then return {} end
return { chunks, redis.call('HGET', base .. 'body:' .. (name or ARGV[1]), ARGV[2]) }
`),

  /** → numbers of items and bytes */
  readLevel: reading(`
return { tostring(redis.call('ZCARD', base .. 'items')), redis.call('HGET', KEYS[1], 'bytes') or '0' }
`),

  /** now → numbers of corrupt ones, items and bytes, then connector, ready, deferred, leased, suspended in turn */
  countItems: reading(`
local now = ARGV[1]
local answer = {
  tostring(redis.call('HLEN', base .. 'corrupt')),
  tostring(redis.call('ZCARD', base .. 'items')),
  redis.call('HGET', KEYS[1], 'bytes') or '0',
}
local connectors = redis.call('HKEYS', base .. 'connectors')
for _, connector in ipairs(connectors) do
  local due, leased = base .. 'due:' .. connector, base .. 'leased:' .. connector
  local ready = redis.call('ZCOUNT', due, '-inf', now)
  local deferred = redis.call('ZCARD', due) - ready
  local expired = redis.call('ZCOUNT', leased, '-inf', now)
  ready = ready + expired
  -- An item may be leased before it is due, when its deadline has passed.
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, ${reclaimLimit})) do
    if tonumber(redis.call('HGET', base .. 'item:' .. id, 'd') or now) > tonumber(now) then
      ready, deferred = ready - 1, deferred + 1
    end
  end
  table.insert(answer, connector)
  table.insert(answer, tostring(ready))
  table.insert(answer, tostring(deferred))
  table.insert(answer, tostring(redis.call('ZCARD', leased) - expired))
  table.insert(answer, tostring(redis.call('ZCARD', base .. 'suspended:' .. connector)))
end
return answer
`),
}

export type RedisScript = keyof typeof redisScripts
