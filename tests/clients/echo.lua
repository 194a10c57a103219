-- For wrk: posts bodies of many lengths to echo, and counts the answers that are none of them. A body begins with its
-- length, since wrk does not tell which request an answer belongs to.
local threads = {}
local length = 0
wrong = 0

local function body_of(length)
  return length .. string.rep("x", length)
end

function setup(thread)
  table.insert(threads, thread)
end

function request()
  length = (length * 7 + 1) % 20011
  return wrk.format("POST", "/echo", nil, body_of(length))
end

function response(status, headers, body)
  local length = tonumber(string.match(body, "^%d+"))
  if status ~= 200 or not length or body ~= body_of(length) then
    wrong = wrong + 1
  end
end

function done(summary, latency, requests)
  local wrong = 0
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
  end
  print(string.format("answers %d, wrong %d", summary.requests, wrong))
end
