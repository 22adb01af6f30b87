import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemHost } from '../../src/host/system.ts'
import { openEngineDirectory } from '../../src/log/engine-directory.ts'
import { LogError, LogErrorCode } from '../../src/log/log-errors.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import { logContract, type Place } from '../contract/log.ts'
import { LentLog, lent } from '../support/lent-log.ts'
import { MemoryDirectory, MemoryDisk } from '../support/memory-log.ts'
import { temporaryFolder } from '../support/temporary.ts'

const onDisk = suite('log contract: engine on disk')
const inMemory = suite('log contract: engine in memory')
const mapped = suite('log contract: a log of its own thread, through the map of its file')
const substitute = suite('log contract: the substitute of other tests')

logContract(onDisk, (): Place => {
  const runtime = NativeRuntime.open({ host: systemHost() })
  runtime.ref()
  const path = temporaryFolder('log')
  return {
    open: async () => openEngineDirectory(runtime, path, 'posix'),
    async leave() {
      runtime.unref()
      await runtime.close()
    },
  }
})

logContract(inMemory, (): Place => {
  const runtime = NativeRuntime.open({ host: systemHost() })
  runtime.ref()
  const disk = { memory: runtime.createMemoryDisk() }
  return {
    open: async () => openEngineDirectory(runtime, '/data', disk),
    async leave() {
      runtime.unref()
      await runtime.close()
    },
  }
})

logContract(mapped, (): Place => {
  const runtime = NativeRuntime.open({ host: systemHost() })
  runtime.ref()
  const path = temporaryFolder('log')
  return {
    open: async () => lent(openEngineDirectory(runtime, path, 'posix')),
    async leave() {
      runtime.unref()
      await runtime.close()
    },
  }
})

mapped('most of it was done by the thread that owns the log', () => {
  assert.ok(LentLog.appends > 20, `${LentLog.appends}`)
})

logContract(substitute, (): Place => {
  const disk = new MemoryDisk()
  return { open: async () => new MemoryDirectory(disk) }
})

onDisk('a directory that this process holds is locked, and its error says so', async () => {
  const runtime = NativeRuntime.open({ host: systemHost() })
  const path = temporaryFolder('log')
  const directory = openEngineDirectory(runtime, path, 'posix')
  try {
    openEngineDirectory(runtime, path, 'posix')
    assert.unreachable()
  } catch (error) {
    assert.instance(error, LogError)
    assert.is((error as LogError).code, LogErrorCode.LOCKED)
    assert.match((error as LogError).message, path)
  }
  await directory.close({ clean: true, brokerEpoch: -1 })
  await runtime.close()
})

onDisk.run()
inMemory.run()
mapped.run()
substitute.run()
