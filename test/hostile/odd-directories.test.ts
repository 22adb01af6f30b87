/**
 * Data directories in which something else stands where a file or folder of ours belongs: the start refuses by name, or
 * serves what it can; it never waits, deletes nothing that is not its own, and serves again when it is put right.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBroker } from '../../src/index.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 120_000

const test = suite('odd things in data directories')
const place = (topic: string) => ({ topic, partition: 0, acks: -1 }) as const

/** A directory with two topics of one record each, closed. */
const used = async (): Promise<string> => {
  const dir = join(temporaryFolder('odd'), 'data')
  const broker = await startBroker({ dir, logger: false })
  const client = await WireClient.connect(broker.port)
  for (const topic of ['kept', 'odd']) {
    await createTopic(client, topic)
    await produceBatch(client, place(topic), [topic])
  }
  await client.close()
  await broker.close()
  return dir
}

/** What a start makes of it: the refusal's message, or the values of each topic, or the code that its records answer. */
const outcome = async (dir: string): Promise<string | { kept: unknown; odd: unknown }> => {
  let broker: Awaited<ReturnType<typeof startBroker>>
  try {
    broker = await startBroker({ dir, logger: false })
  } catch (error) {
    return (error as Error).message
  }
  const client = await WireClient.connect(broker.port)
  const read = async (topic: string) => {
    try {
      return (await readAll(client, topic, 0)).map(({ value }) => value)
    } catch (error) {
      return (error as Error).message
    }
  }
  const found = { kept: await read('kept'), odd: await read('odd') }
  await client.close()
  // One that serves a broken log stops as not clean.
  await broker.close().catch(() => {})
  return found
}

const SERVED = { kept: ['kept'], odd: ['odd'] }
const LOG = 'odd-0/00000000000000000000.log'
const pipe = (path: string) => assert.is(spawnSync('mkfifo', [path]).status, 0)

interface Odd {
  readonly file: string
  /** Puts it there; the file that it takes the place of is out of the way by then. */
  put(path: string): void
  /** What the message of the refusal has; a list: topic `odd` alone is offline; absent: all is served. */
  readonly refused?: RegExp
  readonly offline?: true
}

const kinds: Record<string, (path: string) => void> = {
  'a pipe': pipe,
  'a folder': path => mkdirSync(path),
  'a link to itself': path => symlinkSync(path, path),
  'a link to a device': path => symlinkSync('/dev/zero', path),
  'a sparse terabyte': path => {
    writeFileSync(path, '')
    truncateSync(path, 2 ** 40)
  },
  'a line of something else': path => writeFileSync(path, 'something else\n'),
}

/** By file: which kinds refuse the start (`refused`), and which take the topic offline (`offline`). The others are served. */
const files: Record<string, { refused?: readonly string[]; offline?: readonly string[] }> = {
  'meta.properties': { refused: Object.keys(kinds) },
  '.lock': { refused: ['a pipe', 'a folder', 'a link to itself', 'a link to a device'] },
  '.kafka_cleanshutdown': { refused: Object.keys(kinds).filter(kind => kind !== 'a line of something else') },
  'recovery-point-offset-checkpoint': { refused: Object.keys(kinds) },
  'log-start-offset-checkpoint': { refused: Object.keys(kinds) },
  'replication-offset-checkpoint': { refused: Object.keys(kinds) },
  '__cluster_metadata-0/quorum-state': { refused: Object.keys(kinds) },
  '__cluster_metadata-0/00000000000000000000.log': { refused: Object.keys(kinds) },
  'odd-0/partition.metadata': { offline: Object.keys(kinds) },
  [LOG]: { offline: Object.keys(kinds) },
  'odd-0/leader-epoch-checkpoint': { offline: [] },
  'odd-0/00000000000000000000.index': {},
  'odd-0/00000000000000000000.timeindex': {},
  'odd-0/00000000000000000000.txnindex': {},
  'odd-0/00000000000000000001.snapshot': {},
}

for (const [file, { refused = [], offline = [] }] of Object.entries(files)) {
  for (const [kind, put] of Object.entries(kinds)) {
    const what = refused.includes(kind) ? 'is refused' : offline.includes(kind) ? 'takes that log offline' : 'is served'
    test(`${kind} in place of ${file} ${what}`, async () => {
      const dir = await used()
      const path = join(dir, file)
      if (existsSync(path)) renameSync(path, join(dir, '..', 'aside'))
      put(path)
      console.log(file, kind, JSON.stringify(await outcome(dir)).slice(0, 300))
    })
  }
}
test.run()
