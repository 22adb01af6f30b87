/**
 * A disk that takes what it is given and then fails to keep it, under groups: whoever has a group there is sent away
 * and not left waiting, the other groups go on, and what was acknowledged is there when the disk is mended.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { partitionFor } from '../../src/coordinator/partition-for.ts'
import { offsetCommit } from '../../src/protocol/apis/08-offset-commit.ts'
import { offsetFetch } from '../../src/protocol/apis/09-offset-fetch.ts'
import { findCoordinator } from '../../src/protocol/apis/10-find-coordinator.ts'
import { joinGroup } from '../../src/protocol/apis/11-join-group.ts'
import { heartbeat } from '../../src/protocol/apis/12-heartbeat.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { eventually, quickGroups } from '../clients/target.ts'
import { odradekCommand, settingsArguments } from '../support/broker-process.ts'
import { findGroup, joinAlone } from '../support/groups.ts'
import { startProgram } from '../support/process.ts'
import { createTopic } from '../support/records-client.ts'
import { requires, skip } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { mount, run, undoAll, undoLater } from '../support/undo.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 120_000

const test = suite('failing disk with groups')

test.after.each(undoAll)

/**
 * A file system of 64 MiB whose medium holds fewer: past that, what was written can't be kept (EIO). All that lies in
 * the way of a promise that the kernel itself keeps is out of it. Its blocks are pages, and a page is all that the
 * device is handed at once, so that the medium takes a request or refuses it: one of which it takes half counts as done
 * (Linux 6.18), and a sync succeeds. And it has a journal, which is there from the start: without one, a refused write
 * may leave a file whose map of blocks is lost.
 */
const failingDisk = () => {
  const folder = temporaryFolder('failing')
  const [medium, disk] = [join(folder, 'medium'), join(folder, 'mount')]
  mount(medium, '-t', 'tmpfs', '-o', 'size=12m', 'tmpfs')
  const image = join(medium, 'image')
  run('truncate', '-s', '64M', image)
  run('mkfs.ext4', '-q', '-b', '4096', '-J', 'size=4', image)
  const attached = spawnSync('losetup', ['-f', '--show', image], { encoding: 'utf8' })
  if (attached.status !== 0) skip('may not make a device of a file')
  const device = attached.stdout.trim()
  undoLater(() => spawnSync('losetup', ['-d', device]))
  writeFileSync(`/sys/block/${basename(device)}/queue/max_sectors_kb`, '4')
  mount(disk, device)
  return {
    mount: disk,
    /** Room for all; what the page cache had beyond the medium is gone, as after a power cut. */
    mend: () => {
      run('umount', disk)
      run('mount', '-o', 'remount,size=100m', medium)
      run('mount', device, disk)
    },
  }
}

const PARTITIONS = 6
const settings = { ...quickGroups, 'offsets.topic.num.partitions': PARTITIONS }

const start = async (dirs: readonly string[]) => {
  const [program, args] = odradekCommand()
  const configs = settingsArguments({ 'log.dirs': dirs.join(','), ...settings })
  const serve = [...args, 'serve', '--host', '127.0.0.1', '--port', '0', ...configs]
  const running = startProgram(program, serve, { env: { ODRADEK_LOG_FORMAT: 'json' } })
  undoLater(() => running.child.kill('SIGKILL'))
  const [, port] = await running.sees(/listening on 127\.0\.0\.1:(\d+)/, 30_000)
  return { running, port: Number(port) }
}

const comeAgain: readonly number[] = [ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NOT_COORDINATOR]

const commit = async (client: WireClient, groupId: string, committedOffset: bigint, metadata = ''): Promise<number> => {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: metadata }]
  const topics = [{ name: 'read', partitions }]
  return (
    (await client.send(offsetCommit, 8, { groupId, memberId: '', topics })).topics[0]?.partitions[0]?.errorCode ?? -1
  )
}

const committed = async (client: WireClient, groupId: string) => {
  const groups = [{ groupId, topics: [{ name: 'read', partitionIndexes: [0] }] }]
  const ask = () => client.send(offsetFetch, 8, { groupId: '', topics: [], groups, requireStable: true })
  const answer = await eventually(ask, response => response.groups.every(({ errorCode }) => errorCode === 0))
  return answer.groups[0]?.topics[0]?.partitions[0]?.committedOffset ?? -1n
}

test.before(() => requires('mount'))

test('groups on a disk that fails are sent away, others go on, and nothing acknowledged is lost', async () => {
  const disk = failingDisk()
  const dirs = [join(temporaryFolder('sound'), 'data'), join(disk.mount, 'data')]
  const broker = await start(dirs)
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'read')
  await findGroup(client, 'any')
  const onDisk = (dir: string | undefined) =>
    readdirSync(dir as string)
      .flatMap(name => /^__consumer_offsets-(\d+)$/.exec(name)?.[1] ?? [])
      .map(Number)
  const groupIn = (partitions: readonly number[], prefix: string) => {
    for (let index = 0; ; index++) {
      if (partitions.includes(partitionFor(`${prefix}-${index}`, PARTITIONS))) return `${prefix}-${index}`
    }
  }
  const [sound, failing] = dirs.map(onDisk) as [number[], number[]]
  assert.ok(sound.length > 0 && failing.length > 0, `${sound} ${failing}`)
  const [safe, lost, waiting] = [groupIn(sound, 'safe'), groupIn(failing, 'lost'), groupIn(failing, 'waiting')]
  for (const id of [safe, lost, waiting]) await findGroup(client, id)
  const member = await joinAlone(client, safe, ['read'])
  const former = await joinAlone(client, waiting, ['read'])
  const other = await WireClient.connect(broker.port)
  const joining = {
    groupId: waiting,
    sessionTimeoutMs: 60_000,
    rebalanceTimeoutMs: timeoutMs,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
  }
  // It waits for the member that is there.
  const held = other.send(joinGroup, 3, joining)
  await eventually(
    () => client.send(heartbeat, 3, { groupId: waiting, ...former }),
    ({ errorCode }) => errorCode === ErrorCode.REBALANCE_IN_PROGRESS,
  )

  let acknowledged = 0n
  let code = 0
  const long = 'm'.repeat(4096)
  for (let offset = 1n; code === 0 && offset < 20_000n; offset++) {
    code = await commit(client, lost, offset, long)
    if (code === 0) acknowledged = offset
    // However slow the machine is, nobody goes for want of a heartbeat.
    if (offset % 64n !== 0n) continue
    await client.send(heartbeat, 3, { groupId: safe, ...member })
    await client.send(heartbeat, 3, { groupId: waiting, ...former })
  }
  assert.ok(comeAgain.includes(code), `${code} after ${acknowledged}`)
  await broker.running.sees(/mount\/data is offline: syncing a segment/)
  assert.ok(comeAgain.includes((await held).errorCode), `a join that waits: ${(await held).errorCode}`)
  for (const groupId of [lost, waiting]) assert.ok(comeAgain.includes(await commit(client, groupId, 1n)))
  assert.ok(comeAgain.includes((await other.send(joinGroup, 3, joining)).errorCode))
  const found = await client.send(findCoordinator, 6, { keyType: 0, key: '', coordinatorKeys: [lost, safe] })
  assert.equal(
    found.coordinators.map(({ errorCode }) => errorCode),
    [ErrorCode.COORDINATOR_NOT_AVAILABLE, 0],
  )

  assert.is((await client.send(heartbeat, 3, { groupId: safe, ...member })).errorCode, 0)
  assert.is(await commit(client, groupIn(sound, 'other'), 7n), 0)
  for (const each of [client, other]) await each.close()
  await broker.running.kill('SIGTERM')

  disk.mend()
  const started = await start(dirs)
  const after = await WireClient.connect(started.port)
  for (const id of [safe, lost]) await findGroup(after, id)
  const kept = await committed(after, lost)
  assert.ok(kept >= acknowledged && kept <= acknowledged + 1n, `${acknowledged} was acknowledged, ${kept} is there`)
  assert.is(await commit(after, lost, kept + 1n), 0)
  assert.is((await after.send(heartbeat, 3, { groupId: safe, ...member })).errorCode, 0)
  await after.close()
  assert.is((await started.running.kill('SIGTERM')).code, 0)
})

test.run()
