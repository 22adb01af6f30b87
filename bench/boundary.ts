/**
 * What the boundary costs: an echo with an empty handler over the reactor, beside the same over node:net.
 *
 *   npm run bench -- boundary [--requests 400000] [--bytes 128] [--out FILE]
 *
 * For each shape (connections x requests in flight): requests a second, latencies, CPU of the server a request, of it
 * the JavaScript thread's, native calls and wake-ups a request. Latencies on a machine of two cores depend on its
 * wake-ups: compare the two servers, not the numbers of two machines.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine } from './support/machine.ts'
import { loadFrame } from './support/raw.ts'

const SHAPES = [
  { connections: 1, depth: 1, share: 0.05 },
  { connections: 16, depth: 1, share: 0.2 },
  { connections: 16, depth: 5, share: 1 },
  { connections: 50, depth: 1, share: 0.2 },
  { connections: 50, depth: 8, share: 1 },
]

interface Server {
  readonly child: ChildProcess
  readonly port: number
  counters(): Promise<Record<string, number>>
}

async function start(kind: string): Promise<Server> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const program = fileURLToPath(new URL(`./support/echo-server.${extension}`, import.meta.url))
  const flags = 'Deno' in globalThis ? ['run', '-A'] : []
  const child = spawn(process.execPath, [...flags, program, kind], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting: ((line: string) => void)[] = []
  createInterface({ input: child.stdout }).on('line', line => waiting.shift()?.(line))
  const line = () => new Promise<string>(resolve => waiting.push(resolve))
  const port = Number(await line())
  return {
    child,
    port,
    counters: () => {
      const answer = line()
      child.stdin.write('\n')
      return answer.then(text => JSON.parse(text) as Record<string, number>)
    },
  }
}

/** Nanoseconds on a CPU, by thread. */
function threadTimes(pid: number): { javascript: number; all: number } {
  let all = 0
  let javascript = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const nanoseconds = Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
    all += nanoseconds
    if (Number(thread) === pid) javascript = nanoseconds
  }
  return { javascript, all }
}

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '400000' },
    bytes: { type: 'string', default: '128' },
    out: { type: 'string' },
  },
})
const frame = new Uint8Array(4 + Number(values.bytes))
new DataView(frame.buffer).setUint32(0, frame.length - 4)

const rows: Record<string, string | number>[] = []
for (const { connections, depth, share } of SHAPES) {
  for (const kind of ['reactor', 'net']) {
    const server = await start(kind)
    const requests = Math.ceil(Number(values.requests) * share)
    const load = (count: number) =>
      loadFrame(frame, [
        ...['--address', `127.0.0.1:${server.port}`, '--requests', `${count}`],
        ...['--connections', `${connections}`, '--depth', `${depth}`],
      ])
    await load(Math.ceil(requests / 4))
    const pid = server.child.pid as number
    const before = { ...threadTimes(pid), ...(await server.counters()) } as Record<string, number>
    const figures = await load(requests)
    const after = { ...threadTimes(pid), ...(await server.counters()) } as Record<string, number>
    server.child.kill()
    const each = (name: string) => ((after[name] ?? 0) - (before[name] ?? 0)) / requests
    const rounded = (value: number) => Math.round(value * 1000) / 1000
    const row = {
      server: kind,
      connections,
      depth,
      requestsPerSecond: Math.round(figures['requestsPerSecond'] ?? 0),
      p50Us: figures['p50Us'] ?? 0,
      p99Us: figures['p99Us'] ?? 0,
      p999Us: figures['p999Us'] ?? 0,
      cpuUs: rounded(each('all') / 1000),
      javascriptUs: rounded(each('javascript') / 1000),
      nativeCalls: rounded(each('nativeCalls')),
      wakeUps: rounded(each('wakeUps')),
      reKicks: rounded(each('reKicks')),
    }
    rows.push(row)
    console.log(JSON.stringify(row))
  }
}

if (values.out !== undefined) {
  mkdirSync(dirname(values.out), { recursive: true })
  const runtime = { runtime: process.execPath.split('/').at(-1), version: process.version }
  writeFileSync(
    values.out,
    `${JSON.stringify({ machine: machine(), ...runtime, bytes: Number(values.bytes), rows }, null, 2)}\n`,
  )
}
