/**
 * Records log directories of Apache Kafka: node test/vectors/record/logs.mjs
 *
 * One combined broker and controller on a free port, in a directory that is removed afterwards, filled by Logs.java.
 * Kept under test/vectors/logs/: `closed` after a clean stop, `killed` after a restart, more records and kill -9 (that
 * one without the metadata log and without what didn't change). Files that waited for their deletion are left out.
 *
 * Needs: java, and the jars of Apache Kafka 4.3.1 in $ODRADEK_KAFKA_LIBS (~/.cache/odradek-lab/kafka/libs).
 */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const libs = process.env.ODRADEK_KAFKA_LIBS ?? join(homedir(), '.cache/odradek-lab/kafka/libs')
const here = dirname(fileURLToPath(import.meta.url))
const vectors = join(here, '../logs')
const home = mkdtempSync(join(tmpdir(), 'kafka-logs-'))
const logs = join(home, 'logs')
const properties = join(home, 'server.properties')
const log4j = join(home, 'log4j2.properties')

const freePort = () =>
  new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
const [port, controllerPort] = [await freePort(), await freePort()]

writeFileSync(
  properties,
  [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.bootstrap.servers=localhost:${controllerPort}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://localhost:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    `log.dirs=${logs}`,
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.num.partitions=1',
    'transaction.state.log.min.isr=1',
    'log.index.size.max.bytes=1200',
    'log.cleaner.backoff.ms=200',
    'log.cleaner.dedupe.buffer.size=4194304',
    'metadata.max.idle.interval.ms=0',
    'group.initial.rebalance.delay.ms=0',
    '',
  ].join('\n'),
)
writeFileSync(
  log4j,
  'status=error\nappender.c.type=Console\nappender.c.name=C\nappender.c.layout.type=PatternLayout\n' +
    'appender.c.layout.pattern=%p %m (%c)%n\nrootLogger.level=info\nrootLogger.appenderRef.c.ref=C\n',
)

function java(...args) {
  const result = spawnSync('java', ['-Xmx256M', `-Dlog4j2.configurationFile=${log4j}`, '-cp', `${libs}/*`, ...args], { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`${args.join(' ')}: ${result.stderr}${result.stdout.slice(-4000)}`)
  return result.stdout
}

async function start() {
  const kafka = spawn('java', ['-Xmx512M', `-Dlog4j2.configurationFile=${log4j}`, '-cp', `${libs}/*`, 'kafka.Kafka', properties])
  process.once('exit', () => kafka.kill('SIGKILL'))
  let output = ''
  await new Promise((resolve, reject) => {
    kafka.stdout.on('data', chunk => {
      output += chunk
      if (output.includes('Kafka Server started')) resolve()
    })
    kafka.once('exit', () => reject(new Error(output.slice(-4000))))
  })
  const exited = new Promise(resolve => kafka.once('exit', resolve))
  return signal => {
    kafka.kill(signal)
    return exited
  }
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

async function cleaned() {
  const file = join(logs, 'cleaner-offset-checkpoint')
  for (let waited = 0; waited < 60_000; waited += 200) {
    try {
      if (Number(/compacted 0 (\d+)/.exec(readFileSync(file, 'utf8'))?.[1]) > 100) return
    } catch {
      // Not there yet.
    }
    await sleep(200)
  }
  throw new Error('the cleaner never came')
}

const clusterId = java('kafka.tools.StorageTool', 'random-uuid').trim().split('\n').at(-1)
java('kafka.tools.StorageTool', 'format', '--standalone', '-t', clusterId, '-c', properties)
rmSync(vectors, { recursive: true, force: true })
let stop = await start()
java(join(here, 'Logs.java'), `127.0.0.1:${port}`, 'fill')
await cleaned()
await stop('SIGTERM')
cpSync(logs, join(vectors, 'closed'), { recursive: true })
stop = await start()
java(join(here, 'Logs.java'), `127.0.0.1:${port}`, 'more')
await stop('SIGKILL')
cpSync(logs, join(vectors, 'killed'), { recursive: true })
for (const name of readdirSync(join(vectors, 'killed'))) {
  if (name.includes('-0') && name !== 'mixed-0') rmSync(join(vectors, 'killed', name), { recursive: true })
}
for (const kept of ['closed', 'killed']) {
  for (const name of readdirSync(join(vectors, kept), { recursive: true })) {
    if (name === '.lock' || name.endsWith('.deleted')) rmSync(join(vectors, kept, name))
  }
}
rmSync(home, { recursive: true, force: true })
