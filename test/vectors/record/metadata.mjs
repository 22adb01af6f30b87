/**
 * Records what Apache Kafka writes to its metadata log: node test/vectors/record/metadata.mjs
 *
 * Two runs, each one combined broker and controller on a free port, in a directory that is removed afterwards:
 * `life`: format, first start, topic operations, clean stop, restart, kill -9, restart, clean
 * stop, with default settings;
 * `kinds`: as many kinds of record as one broker can be made to write, then a snapshot of them.
 * Kept per run under test/vectors/metadata/NAME/: the raw files (log, checkpoints, meta.properties, quorum-state),
 * `dump.json` (every record as DumpLogSegments shows it) and `phases.json` (log end offset after each step).
 *
 * Needs: java, and the jars of Apache Kafka 4.3.1 in $ODRADEK_KAFKA_LIBS (~/.cache/odradek-lab/kafka/libs).
 * No-op records are switched off (metadata.max.idle.interval.ms=0): they tell nothing and grow the log.
 */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const libs = process.env.ODRADEK_KAFKA_LIBS ?? join(homedir(), '.cache/odradek-lab/kafka/libs')
const vectors = join(dirname(fileURLToPath(import.meta.url)), '../metadata')
const METADATA_FOLDER = '__cluster_metadata-0'
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

function java(name, args, options = {}) {
  const result = spawnSync('java', ['-Xmx256M', '-cp', `${libs}/*`, `-Dlog4j2.configurationFile=${options.log4j}`, name, ...args], {
    encoding: 'utf8',
    input: options.input ?? '',
    maxBuffer: 1 << 28,
  })
  if (result.status !== 0) throw new Error(`${name} ${args.join(' ')}: ${result.stderr}${result.stdout}`)
  return result.stdout
}

async function freePorts(count) {
  const servers = []
  for (let i = 0; i < count; i++) {
    const server = createServer()
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
    servers.push(server)
  }
  const ports = servers.map(server => server.address().port)
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

class Kafka {
  static async create(name, lines) {
    const kafka = new Kafka()
    kafka.name = name
    kafka.home = mkdtempSync(join(tmpdir(), `kafka-${name}-`))
    kafka.logs = join(kafka.home, 'logs')
    kafka.properties = join(kafka.home, 'server.properties')
    kafka.log4j = join(kafka.home, 'log4j2.properties')
    kafka.phases = []
    const [port, controllerPort] = await freePorts(2)
    kafka.bootstrap = `127.0.0.1:${port}`
    kafka.lines = [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.bootstrap.servers=localhost:${controllerPort}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://localhost:${controllerPort}`,
      'inter.broker.listener.name=PLAINTEXT',
      'controller.listener.names=CONTROLLER',
      'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      `log.dirs=${kafka.logs}`,
      'num.partitions=1',
      'offsets.topic.replication.factor=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'share.coordinator.state.topic.replication.factor=1',
      'share.coordinator.state.topic.min.isr=1',
      'metadata.max.idle.interval.ms=0',
      ...lines,
    ]
    writeFileSync(kafka.properties, kafka.lines.join('\n') + '\n')
    writeFileSync(
      kafka.log4j,
      ['status=error', 'appender.c.type=Console', 'appender.c.name=C', 'appender.c.target=SYSTEM_ERR', 'appender.c.layout.type=PatternLayout',
        'appender.c.layout.pattern=[%d] %p %m (%c)%n', 'rootLogger.level=info', 'rootLogger.appenderRef.c.ref=C'].join('\n'),
    )
    return kafka
  }

  set(line) {
    this.lines.push(line)
    writeFileSync(this.properties, this.lines.join('\n') + '\n')
  }

  format(...args) {
    const clusterId = java('kafka.tools.StorageTool', ['random-uuid'], this).trim()
    java('kafka.tools.StorageTool', ['format', '--standalone', '-t', clusterId, '-c', this.properties, ...args], this)
    this.phase('format')
  }

  async start(name) {
    // To a file: a pipe would fill up and stop the broker while a tool runs.
    const output = join(this.home, 'server.log')
    const file = openSync(output, 'w')
    const args = ['-Xmx512M', '-cp', `${libs}/*`, `-Dlog4j2.configurationFile=${this.log4j}`, 'kafka.Kafka', this.properties]
    this.process = spawn('java', args, { stdio: ['ignore', 'ignore', file] })
    closeSync(file)
    process.once('exit', () => this.process.kill('SIGKILL'))
    this.exited = new Promise(resolve => this.process.once('exit', resolve))
    for (let waited = 0; !readFileSync(output, 'utf8').includes('Kafka Server started'); waited += 100) {
      if (waited > 60_000 || this.process.exitCode !== null) throw new Error(`no start: ${readFileSync(output, 'utf8').slice(-4000)}`)
      await sleep(100)
    }
    await sleep(1500)
    this.phase(name)
  }

  async stop(name, signal = 'SIGTERM') {
    this.process.kill(signal)
    await this.exited
    this.phase(name)
  }

  tool(name, ...args) {
    return java(name, ['--bootstrap-server', this.bootstrap, ...args], this)
  }

  topic(...args) {
    return this.tool('org.apache.kafka.tools.TopicCommand', ...args)
  }

  configs(...args) {
    return this.tool('kafka.admin.ConfigCommand', ...args)
  }

  /** Notes what the log holds after a step. */
  phase(name) {
    const records = this.dump()
    this.phases.push({ name, end: records.length === 0 ? 0 : records.at(-1).offset + 1 })
    console.log(this.name, name, this.phases.at(-1).end)
  }

  /** Every record of the metadata log (or of one file) in DumpLogSegments' JSON. */
  dump(path = join(this.logs, METADATA_FOLDER, '00000000000000000000.log')) {
    if (!existsSync(path)) return []
    const text = java('org.apache.kafka.tools.DumpLogSegments', ['--cluster-metadata-decoder', '--files', path], this)
    const records = []
    let batch = {}
    for (const line of text.split('\n')) {
      if (line.startsWith('baseOffset: ')) {
        batch = { base: Number(/baseOffset: (\d+)/.exec(line)[1]), epoch: Number(/partitionLeaderEpoch: (-?\d+)/.exec(line)[1]) }
      } else if (line.startsWith('| offset: ')) {
        const offset = Number(/offset: (\d+)/.exec(line)[1])
        const payload = /payload: (\{.*\})$/.exec(line)
        if (payload) records.push({ offset, ...batch, ...JSON.parse(payload[1]) })
        else records.push({ offset, ...batch, control: /keySize: -?\d+ valueSize: -?\d+ sequence: -?\d+ headerKeys: \[\] (.*)$/.exec(line)?.[1] ?? line })
      }
    }
    return records
  }

  save() {
    const target = join(vectors, this.name)
    rmSync(target, { recursive: true, force: true })
    mkdirSync(join(target, METADATA_FOLDER), { recursive: true })
    for (const file of ['meta.properties', 'bootstrap.checkpoint']) copyFileSync(join(this.logs, file), join(target, file))
    const dumps = { [`${METADATA_FOLDER}/00000000000000000000.log`]: this.dump() }
    for (const file of readdirSync(join(this.logs, METADATA_FOLDER))) {
      if (!/\.(log|checkpoint|snapshot)$|^(quorum-state|leader-epoch-checkpoint|partition\.metadata)$/.test(file)) continue
      copyFileSync(join(this.logs, METADATA_FOLDER, file), join(target, METADATA_FOLDER, file))
      if (file.endsWith('.checkpoint')) dumps[`${METADATA_FOLDER}/${file}`] = this.dump(join(this.logs, METADATA_FOLDER, file))
    }
    // The tool wants a checkpoint's name to be offset and epoch.
    const bootstrap = join(this.home, '00000000000000000000-0000000000.checkpoint')
    copyFileSync(join(this.logs, 'bootstrap.checkpoint'), bootstrap)
    dumps['bootstrap.checkpoint'] = this.dump(bootstrap)
    writeFileSync(join(target, 'dump.json'), JSON.stringify(dumps, null, 1) + '\n')
    writeFileSync(join(target, 'phases.json'), JSON.stringify({ listeners: this.lines[3], phases: this.phases }, null, 1) + '\n')
    rmSync(this.home, { recursive: true, force: true })
  }
}

async function life() {
  const kafka = await Kafka.create('life', [])
  kafka.format()
  await kafka.start('first start')
  kafka.topic('--create', '--topic', 'plain')
  kafka.phase('create plain')
  kafka.topic('--create', '--topic', 'configured', '--config', 'retention.ms=60000', '--config', 'compression.type=lz4')
  kafka.phase('create configured')
  kafka.topic('--create', '--topic', 'three', '--partitions', '3', '--replication-factor', '1')
  kafka.phase('create three')
  kafka.topic('--alter', '--topic', 'plain', '--partitions', '2')
  kafka.phase('partitions of plain')
  kafka.topic('--delete', '--topic', 'configured')
  await sleep(500)
  kafka.phase('delete configured')
  java('org.apache.kafka.tools.ConsoleProducer', ['--bootstrap-server', kafka.bootstrap, '--topic', 'plain'], { log4j: kafka.log4j, input: 'one\n' })
  kafka.phase('producer id')
  await kafka.stop('clean stop')
  await kafka.start('restart after clean stop')
  await kafka.stop('kill', 'SIGKILL')
  await kafka.start('restart after kill')
  await kafka.stop('second clean stop')
  kafka.save()
}

async function kinds() {
  const kafka = await Kafka.create('kinds', [
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users=User:ANONYMOUS',
  ])
  kafka.format('--add-scram', 'SCRAM-SHA-256=[name=alice,password=alice-secret]')
  await kafka.start('first start')
  for (let i = 0; i < 6; i++) kafka.topic('--create', '--topic', `topic-${i}`, '--partitions', '4', '--config', `retention.ms=${60000 + i}`)
  kafka.topic('--delete', '--topic', 'topic-3')
  kafka.configs('--alter', '--entity-type', 'topics', '--entity-name', 'topic-1', '--delete-config', 'retention.ms')
  kafka.configs('--alter', '--entity-type', 'brokers', '--entity-default', '--add-config', 'log.cleaner.threads=2')
  kafka.configs('--alter', '--entity-type', 'brokers', '--entity-name', '1', '--add-config', 'num.io.threads=9')
  kafka.configs('--alter', '--entity-type', 'users', '--entity-name', 'bob', '--add-config', 'producer_byte_rate=1024,consumer_byte_rate=2048')
  kafka.configs('--alter', '--entity-type', 'users', '--entity-default', '--entity-type', 'clients', '--entity-name', 'c', '--add-config', 'request_percentage=50')
  kafka.configs('--alter', '--entity-type', 'users', '--entity-name', 'bob', '--add-config', 'SCRAM-SHA-512=[iterations=4096,password=bob-secret]')
  kafka.configs('--alter', '--entity-type', 'groups', '--entity-name', 'g', '--add-config', 'consumer.session.timeout.ms=50000')
  kafka.configs('--alter', '--entity-type', 'client-metrics', '--entity-name', 'm', '--add-config', 'interval.ms=10000')
  kafka.tool('org.apache.kafka.tools.AclCommand', '--add', '--allow-principal', 'User:bob', '--operation', 'Read', '--topic', 'topic-1')
  kafka.tool('org.apache.kafka.tools.AclCommand', '--add', '--deny-principal', 'User:eve', '--operation', 'All', '--group', 'g', '--resource-pattern-type', 'prefixed')
  kafka.tool('org.apache.kafka.tools.AclCommand', '--remove', '--force', '--allow-principal', 'User:bob', '--operation', 'Read', '--topic', 'topic-1')
  java('org.apache.kafka.tools.ConsoleProducer', ['--bootstrap-server', kafka.bootstrap, '--topic', 'topic-0'], { log4j: kafka.log4j, input: 'one\n' })
  kafka.phase('kinds')
  await kafka.stop('clean stop')
  // Small enough for the start itself to make a snapshot due.
  kafka.set('metadata.log.max.record.bytes.between.snapshots=1000')
  await kafka.start('restart')
  await kafka.stop('second clean stop')
  kafka.save()
}

if (!existsSync(libs) || !readdirSync(libs).some(file => file.startsWith('kafka-clients-4.3'))) throw new Error(`no Kafka 4.3 jars in ${libs}`)
const runs = { life, kinds }
for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(runs)) await runs[name]()
