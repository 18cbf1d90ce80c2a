-- The load: send prepared bodies in turn, check every response, stop cleanly.
--
-- After the last request is sent, wrk waits for all responses: no request is cut off,
-- every latency counts, and no work is left behind in the server for the next measurement.

local ffi = require("ffi")
ffi.cdef [[
  struct bench_time { long seconds, nanoseconds; };
  int clock_gettime(int clock, struct bench_time *time);
  int getpid(void);
  int kill(int pid, int signal);
]]

local MONOTONIC, SIGINT = 1, 2
local FOREVER_MS = 1e9
local SIGNATURE = "\137PNG\r\n\26\n"
local LAST_CHUNK = "IEND\174B`\130"

local time = ffi.new("struct bench_time")
local requests, options, threads = {}, {}, {}
local first, responded_at

-- Read by done(), so global.
sent, responses, wrong, elapsed = -1, 0, 0, 0 -- wrk calls request() once before it begins

local function now()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local function size(body)
  local a, b, c, d, e, f, g, h = body:byte(17, 24)
  return ((a * 256 + b) * 256 + c) * 256 + d, ((e * 256 + f) * 256 + g) * 256 + h
end

local function is_image(body)
  if #body < 45 or body:sub(1, 8) ~= SIGNATURE or body:sub(-8) ~= LAST_CHUNK then
    return false
  end
  local width, height = size(body)
  return width == options.width and height == options.height
end

local function sending()
  if first == nil then
    return true
  end
  local passed = now() - first
  if sent >= options.most or passed >= options.longest then
    return false
  end
  return sent < options.least or passed < options.seconds
end

function setup(thread)
  table.insert(threads, thread)
end

-- Arguments: folder of bodies, how many, content type, width, height, seconds, least, longest, most.
function init(args)
  local names = { "width", "height", "seconds", "least", "longest", "most" }
  for i, name in ipairs(names) do
    options[name] = tonumber(args[3 + i])
  end
  for i = 0, tonumber(args[2]) - 1 do
    local file = assert(io.open(args[1] .. "/" .. i, "rb"))
    local headers = { ["Content-Type"] = args[3], ["Accept"] = "image/png" }
    table.insert(requests, wrk.format("POST", nil, headers, file:read("*a")))
    file:close()
  end
end

function delay()
  return sending() and 0 or FOREVER_MS
end

function request()
  sent = sent + 1
  if sent == 1 then
    first = now()
  end
  return requests[(sent - 1) % #requests + 1]
end

function response(status, _, body)
  responses = responses + 1
  if status ~= 200 or not is_image(body) then
    wrong = wrong + 1
  end
  responded_at = now()
  elapsed = responded_at - first
  if responses >= sent and not sending() then
    ffi.C.kill(ffi.C.getpid(), SIGINT) -- ends wrk's wait for the end of its time
  end
end

function done(summary, latency, _)
  local thread, errors = threads[1], summary.errors
  io.write(string.format(
    '{"sent":%d,"responses":%d,"wrong":%d,"seconds":%.6f,"bytes":%d,'
      .. '"connect":%d,"write":%d,"timeout":%d,'
      .. '"p50_ms":%.3f,"p95_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
    thread:get("sent"), thread:get("responses"), thread:get("wrong"), thread:get("elapsed"),
    summary.bytes, errors.connect, errors.write, errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3))
end
