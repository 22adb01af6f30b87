/**
 * Example frames and what is left of them after skimming, as lines that native/reactor/tests/skim_vectors.rs reads too.
 */
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { planFor } from '../../src/protocol/compile.ts'
import { encodeRequest, encodeResponse } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { skimProgram } from '../../src/protocol/skim.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { versionsOf } from './schemas.ts'
import { runSkim } from './skim.ts'
import { exampleOf, examples } from './values.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/**
 * `NAME VERSION EXAMPLE PROGRAM FRAME COPY ELISIONS`; elisions are `at:position:length` with commas between, or `-`.
 */
export const skimVectors = (): string[] => {
  const writer = new Writer()
  const header = { correlationId: 5, clientId: 'a client' }
  const line = (name: string, program: Uint8Array, frame: Uint8Array): string => {
    const { bytes, elisions } = runSkim(program, frame)
    const list = elisions.map(({ at, position, length }) => `${at}:${position}:${length}`)
    return [name, hex(program), hex(frame), hex(bytes), list.join() || '-'].join(' ')
  }
  const requests = versionsOf(produce.request).flatMap(version =>
    examples.map(example => {
      const value = exampleOf(planFor(produce.request, version), example) as never
      const frame = joinParts(encodeRequest(writer, produce, version, header, value))
      return line(`ProduceRequest ${version} ${example}`, skimProgram('request', produce, version), frame)
    }),
  )
  const responses = versionsOf(fetch.response).flatMap(version =>
    examples.map(example => {
      const value = exampleOf(planFor(fetch.response, version), example) as never
      const frame = joinParts(encodeResponse(writer, fetch, version, 5, value))
      return line(`FetchResponse ${version} ${example}`, skimProgram('response', fetch, version), frame)
    }),
  )
  return [...requests, ...responses]
}
