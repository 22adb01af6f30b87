/** Faults of files below one folder, by a library of ours (preload.c) that is preloaded into a broker. */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { inRepository } from '../paths.ts'
import { runProgram } from '../process.ts'
import { temporaryFolder } from '../temporary.ts'

/** In the order of preload.c. */
const kinds = ['nothing', 'sync', 'write', 'truncate', 'rename', 'create', 'allocate', 'unlink'] as const
const fields = ['kind', 'countdown', 'error', 'hits', 'again', 'delayUs', 'lies', 'inode'] as const

export type FaultKind = Exclude<(typeof kinds)[number], 'nothing'>

const errors = { short: 0, EIO: 5, ENOSPC: 28 } as const
export type FaultError = keyof typeof errors

/** The `nth` call of its kind from now on fails; `short`: it writes a part. The ones after it succeed. */
export interface Fault {
  readonly kind: FaultKind
  readonly error: FaultError
  readonly nth: number
}

let library: Promise<string> | undefined

const compile = async (): Promise<string> => {
  const output = join(temporaryFolder('preload'), 'preload.so')
  const source = inRepository('test', 'support', 'crash', 'preload.c')
  const { code, stderr } = await runProgram('cc', ['-shared', '-fPIC', '-O1', '-o', output, source])
  if (code !== 0) throw new Error(`preload.c doesn't compile:\n${stderr}`)
  return output
}

export class Preload {
  /** The environment of the broker. */
  readonly env: Record<string, string>
  readonly #control: string

  private constructor(path: string, folder: string) {
    this.#control = join(temporaryFolder('faults'), 'control')
    writeFileSync(this.#control, new Uint8Array(4 * fields.length))
    this.env = { LD_PRELOAD: path, ODRADEK_TEST_FAULTS: this.#control, ODRADEK_TEST_FAULTS_IN: folder }
  }

  /** Without faults until one is asked for. */
  static async for(folder: string): Promise<Preload> {
    library ??= compile()
    return new Preload(await library, folder)
  }

  arm({ kind, error, nth }: Fault): void {
    this.#set({ kind: 0, hits: 0, again: 0, inode: -1, error: errors[error], countdown: nth })
    this.#set({ kind: kinds.indexOf(kind) })
  }

  disarm(): void {
    this.#set({ kind: 0, hits: 0, again: 0, delayUs: 0, lies: 0 })
  }

  /** Syncs do nothing and say that they did. */
  lie(): void {
    this.#set({ lies: 1 })
  }

  /** Syncs take so much longer. */
  delay(ms: number): void {
    this.#set({ delayUs: ms * 1000 })
  }

  /** The fault has struck. */
  get hit(): boolean {
    return this.#get('hits') > 0
  }

  /** How often the file whose sync failed was synced afterwards. */
  get syncedAgain(): number {
    return this.#get('again')
  }

  #get(field: (typeof fields)[number]): number {
    const bytes = readFileSync(this.#control)
    return new DataView(bytes.buffer, bytes.byteOffset).getInt32(4 * fields.indexOf(field), true)
  }

  #set(values: Partial<Record<(typeof fields)[number], number>>): void {
    const file = openSync(this.#control, 'r+')
    for (const [field, value] of Object.entries(values)) {
      const at = 4 * fields.indexOf(field as (typeof fields)[number])
      writeSync(file, new Uint8Array(Int32Array.of(value).buffer), 0, 4, at)
    }
    closeSync(file)
  }
}
