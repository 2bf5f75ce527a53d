-- Become the owner of a thread that is reserved, or due: begin a turn from the inbox, or go on with the one that is begun.
-- KEYS: due inbox turns meta    ARGV: thread score token lease_ms batch
-- Valid only while the thread's score is the reserved one (with an empty score: while the thread is due); repeated with
-- the same token it changes nothing.
local thread, token = ARGV[1], ARGV[3]
local meta = KEYS[4]
if redis.call('HGET', meta, 'token') ~= token then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local score = tonumber(redis.call('ZSCORE', KEYS[1], thread) or 'none')
  if not score or (ARGV[2] == '' and score > now) or (ARGV[2] ~= '' and score ~= tonumber(ARGV[2])) then return 'lost' end
  if redis.call('HGET', meta, 'active') == '1' then
    redis.call('HINCRBY', meta, 'attempts', 1)
  else
    local rows = redis.call('LRANGE', KEYS[2], 0, tonumber(ARGV[5]) - 1)
    if #rows == 0 then
      redis.call('ZREM', KEYS[1], thread)
      return 'idle'
    end
    local author, taken, written, messages = nil, {}, {}, true
    for i, row in ipairs(rows) do
      local turn = cjson.decode(row)
      if author and turn.author.id ~= author then break end
      author = turn.author.id
      messages = messages and turn.kind == 'user'
      taken[i], written[row] = row, { turn.at, i }
    end
    if messages and #taken > 1 then -- a platform may bring the later one first; times are UTC, and sort as they are written
      table.sort(taken, function(one, other)
        local a, b = written[one], written[other]
        return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
      end)
    end
    local begins = redis.call('LLEN', KEYS[3])
    redis.call('RPUSH', KEYS[3], unpack(taken))
    redis.call('LTRIM', KEYS[2], #taken, -1)
    redis.call('HINCRBY', meta, 'turn', 1)
    redis.call('HDEL', meta, 'out', 'order', 'refs', 'joined', 'fault')
    redis.call('HSET', meta, 'active', '1', 'step', '0', 'attempts', '1', 'begins', begins, 'author', author,
      'count', #taken)
  end
  redis.call('HSET', meta, 'token', token)
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), thread)
end
local window = redis.call('HGET', meta, 'window') or '0'
local state = redis.call('HMGET', meta, 'turn', 'step', 'attempts', 'begins', 'mode', 'order', 'out', 'refs', 'fault')
return { state, window, redis.call('LRANGE', KEYS[3], window, -1) }
