import { suite } from 'uvu'
import { SimulatedHost } from '../../src/host/simulated.ts'
import { partitionWriterContract } from '../contract/partition-writer.ts'
import { MemoryWriter } from '../support/coordinator.ts'

const test = suite('partition writer contract: the substitute of other tests')

partitionWriterContract(test, async () => {
  const host = new SimulatedHost({ seed: 1 })
  const writer = new MemoryWriter(host, 2)
  // A load goes on by itself, whoever is waiting for it.
  const pump = setInterval(() => void host.settle(), 1)
  return {
    writer,
    leaderEpoch: () => writer.leaderEpoch(0),
    lose: async () => void writer.lose(0),
    settle: () => host.settle(),
    leave: async () => clearInterval(pump),
  }
})

test.run()
