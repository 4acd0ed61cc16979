/**
 * The steps of the Redis queue, as Lua scripts and so atomic; puts and outcomes come many to a call. Every script
 * may run twice with the same arguments and then answers as it did the first time: a connection that breaks leaves
 * unknown whether a step was taken, and repeating it is the only safe answer. (`spendRates` alone counts twice then:
 * too much is on the safe side there.) Every step checks all it needs before its first write, because Redis does not
 * take back the writes of a script that fails half-way.
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
 *                          body, or name of where it is, with chunks where it was staged (older ones have no name:
 *                          it is the message's id)
 *   body:<name>            hash: <message id>.<by> → body, of the small ones that came in one call; or of a staged
 *                          one chunk number → bytes, which expires until its message is put
 *   gone:<period>          hash: item id → the call that removed the item, for a while: what arrives late finds it
 *   rate:<limit>:<length>:<key>  hash: slot of time → what was granted in it (rate.ts), and most, the limit; expires
 *   rates                  zset: <limit>:<length>:<key> by how full it was when it was last counted; also for a
 *                          while those whose hash has expired. Both in the first partition
 *
 * Adding (`put`, `append`) is refused by Redis when its memory is full; everything else must go on then, or the
 * queue could not drain: hence `allow-oom`, which needs Redis 7. Numbers are returned as strings.
 */

import { forManySteps, forOneStep, stagedSeconds } from './lua.ts'

/** At most so many leases that ran out come back in one claim, per connector. */
const reclaimLimit = 100

/** What both ways of claiming share. Arguments: now, end of the leases, call, again, reclaim, most items, most bytes. */
const leasing = `
local now, leasedUntil, call, again, reclaim = unpack(ARGV, 1, 5)
local items, bytes = tonumber(ARGV[6]), tonumber(ARGV[7])

local function give(answer, id, fence, record)
  local body = false
  local message = base .. 'message:' .. string.sub(id, 1, 20)
  local size = tonumber(redis.call('HGET', message, 'size') or bytes + 1)
  if size <= bytes and size <= ${64 * 1024} then
    local inline, chunks, name, by = unpack(redis.call('HMGET', message, 'body', 'chunks', 'name', 'by'))
    body = inline
    if name and not chunks then
      body = redis.call('HGET', base .. 'body:' .. name, fieldOf(string.sub(id, 1, 20), by))
    end
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
  give(answer, id, tostring(fence), item[1])
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
      give(answer, id, fence, record)
      taken = taken + 1
    end
  end
  return taken
end
`

const adding = (text: string): string => `#!lua\n${forOneStep}${text}`
const addingMany = (text: string): string => `#!lua\n${forManySteps}${text}`
const draining = (text: string): string => `#!lua flags=allow-oom\n${forOneStep}${text}`
const drainingMany = (text: string): string => `#!lua flags=allow-oom\n${forManySteps}${text}`
const reading = (text: string): string => `#!lua flags=no-writes,allow-oom\n${forOneStep}${text}`

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
   * epoch, most items, most bytes, name of the bodies beside, then each put in turn: call, number of messages,
   * messages → for each put done (also where it was done before) | epoch | full | exists | unstaged | failed and why;
   * with done the partition's items and bytes, and the fence of each item, 0 where it is not leased
   */
  putMessages: addingMany(`
local epoch, bytes = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'bytes'))
local items, mostItems, mostBytes = redis.call('ZCARD', base .. 'items'), tonumber(ARGV[2]), tonumber(ARGV[3])
bytes = tonumber(bytes or 0)

-- Where each put begins in the arguments, and the ids of all items.
local puts, ids, at = {}, {}, 5
beside = ARGV[4]
while at <= #ARGV do
  puts[#puts + 1] = at
  local messages = ARGV[at + 1]
  at = at + 2
  for _ = 1, messages do
    local n = ARGV[at + 4]
    at = at + messageWidth
    for _ = 1, n do
      ids[#ids + 1] = ARGV[at]
      at = at + itemWidth
    end
  end
end
-- Most often none of them was ever removed, which two looks at all of them show.
local isLate = anyRemoved(ids)

-- Where its messages begin, their keys and those of its items, the ids, and the size of it all.
local function read(at)
  local messages, keys, ids, size = {}, {}, {}, 0
  local from = at + 2
  for i = 1, ARGV[at + 1] do
    messages[i] = from
    keys[#keys + 1] = base .. 'message:' .. ARGV[from]
    size = size + ARGV[from + 1]
    local n = ARGV[from + 4]
    from = from + messageWidth
    for _ = 1, n do
      keys[#keys + 1] = base .. 'item:' .. ARGV[from]
      ids[#ids + 1] = ARGV[from]
      from = from + itemWidth
    end
  end
  return messages, keys, ids, size
end

-- A body that was set beside this script, and that no message has.
local function forget(messages, call)
  for _, from in ipairs(messages) do
    local id, where = ARGV[from], ARGV[from + 2]
    if where == 'beside' and redis.call('HGET', base .. 'message:' .. id, 'by') ~= call then
      take(base .. 'body:' .. beside, fieldOf(id, call))
    end
  end
end

local function repeated(call, messages, ids)
  for _, from in ipairs(messages) do
    local by = redis.call('HGET', base .. 'message:' .. ARGV[from], 'by')
    if by and by ~= call then return { 'exists' } end
  end
  local answer = { 'done', tostring(items), tostring(bytes) }
  for n, id in ipairs(ids) do
    local owner, fence, ends = unpack(redis.call('HMGET', base .. 'item:' .. id, 'o', 'f', 'l'))
    answer[3 + n] = owner == call and ends ~= '0' and fence or '0'
  end
  return answer
end

local function fault(messages, call, count, size)
  if epoch ~= ARGV[1] then return 'epoch' end
  if items + count > mostItems or bytes + size > mostBytes then return 'full' end
  for _, from in ipairs(messages) do
    if unstaged(from, call) then return 'unstaged' end
  end
end

local function put(at)
  local call = ARGV[at]
  local messages, keys, ids, size = read(at)
  if epoch == ARGV[1] and (callWith(keys, 'EXISTS') > 0 or isLate and anyRemoved(ids)) then
    forget(messages, call)
    return repeated(call, messages, ids)
  end
  local refusal = fault(messages, call, #ids, size)
  if refusal then
    forget(messages, call)
    return { refusal }
  end
  items, bytes = items + #ids, bytes + size
  local answer = { 'done', tostring(items), tostring(bytes) }
  for _, from in ipairs(messages) do
    for _, fence in ipairs(addMessage(from, call)) do answer[#answer + 1] = fence end
  end
  return answer
end

local answers = {}
for n, from in ipairs(puts) do answers[n] = answerOf(put, from) end
write()
return answers
`),

  /** name of bodies beside a put → done; those stay that a message has, as the put may have been taken before */
  discardBodies: draining(`
for _, field in ipairs(redis.call('HKEYS', base .. 'body:' .. ARGV[1])) do
  local id, call = string.sub(field, 1, 20), string.sub(field, 22)
  if redis.call('HGET', base .. 'message:' .. id, 'by') ~= call then take(base .. 'body:' .. ARGV[1], field) end
end
return { 'done' }
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

  /**
   * for each in turn: item id, fence, now, call, outcome → for each done | lost | missing | exists | unstaged | failed
   * and why
   */
  settleItems: drainingMany(`
-- What was settled in this call is still there until its end.
local settled = {}

local function settle(at)
  local id, fence, now, call = unpack(ARGV, at, at + 3)
  if settled[id] then return { 'lost' } end
  local held, ends, connector, settledBy = unpack(redis.call('HMGET', base .. 'item:' .. id, 'f', 'l', 'c', 's'))
  if held ~= fence or tonumber(ends) <= tonumber(now) then
    if settledBy == call or removedBy(id) == call then return { 'done' } end
    return { held and 'lost' or 'missing' }
  end
  local fault = outcomeFault(id, at + 4)
  if fault then return { fault } end
  settled[id] = true
  become(id, connector, at + 4, call)
  return { 'done' }
end

local answers, at = {}, 1
while at <= #ARGV do
  table.insert(answers, answerOf(settle, at))
  at = outcomeEnd(at + 4)
end
write()
return answers
`),

  /** item id, now, call, the record as it was read, outcome → done | busy | missing | changed | exists | unstaged */
  changeItem: draining(`
local id, now, call, before = unpack(ARGV, 1, 4)
local key = base .. 'item:' .. id
local record, ends, connector, settledBy = unpack(redis.call('HMGET', key, 'j', 'l', 'c', 's'))
if not record then
  return { removedBy(id) == call and 'done' or 'missing' }
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
local body, chunks, name, by =
  unpack(redis.call('HMGET', base .. 'message:' .. ARGV[1], 'body', 'chunks', 'name', 'by'))
if body then return { '1', body } end
if name and not chunks then return { '1', redis.call('HGET', base .. 'body:' .. name, fieldOf(ARGV[1], by)) } end
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
