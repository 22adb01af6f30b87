/** A broker is fenced: it leads nothing and is in no ISR, until it says that it serves again. */
import type { BrokerImage } from '../metadata/image.ts'
import type { NewRecord } from '../metadata/records.ts'
import { electionRecords } from './elections.ts'
import type { OperationContext } from './operation.ts'

export function fencingRecords(context: OperationContext, broker: BrokerImage): NewRecord[] {
  const { id, epoch } = broker
  return [
    ...electionRecords(context, { removed: id }, partition => partition.isr.includes(id)),
    { name: 'BrokerRegistrationChangeRecord', version: 0, data: { brokerId: id, brokerEpoch: epoch, fenced: 1 } },
  ]
}
