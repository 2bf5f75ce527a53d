-- Accept one piece of mail, once. Limits are tested before the event is marked as seen, so a refused event can come again.
-- KEYS: due wake open inbox meta seen…
-- ARGV: thread row author address inbox_limit open_limit seen_ms debounce_ms closed news
for i = 6, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return 'duplicate' end
end
local thread, row, author, address = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local party = 'party:' .. author
if address ~= 'bot' and address ~= 'desk' and redis.call('HGET', KEYS[5], 'mode') ~= 'human' then
  if address ~= 'party' or redis.call('HEXISTS', KEYS[5], party) == 0 then return 'ignored' end
end
if ARGV[9] == '1' then return 'busy' end
if redis.call('LLEN', KEYS[4]) >= tonumber(ARGV[5]) then return 'full' end
if tonumber(redis.call('GET', KEYS[3]) or '0') >= tonumber(ARGV[6]) then return 'busy' end
for i = 6, #KEYS do redis.call('SET', KEYS[i], '1', 'PX', ARGV[7]) end
redis.call('RPUSH', KEYS[4], row)
redis.call('INCR', KEYS[3])
if address == 'bot' then redis.call('HSET', KEYS[5], party, '1') end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local score = redis.call('ZSCORE', KEYS[1], thread)
if not score then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[8]), thread)
  if redis.call('LLEN', KEYS[2]) < 10000 then redis.call('RPUSH', KEYS[2], thread) end
elseif tonumber(score) > now then
  redis.call('PUBLISH', ARGV[10], thread)
end
return 'stored'
