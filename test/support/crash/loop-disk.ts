/**
 * A real file system on a file, whose power can be cut: what was not synced is gone when it is mounted again. The file
 * lies in memory, so that a sync costs little and cuts come fast.
 */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { temporaryFolder } from '../temporary.ts'
import { mount, run, undoLater } from '../undo.ts'

export type FileSystem = 'ext4' | 'xfs'

export const fileSystems: readonly FileSystem[] = ['ext4', 'xfs']

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

const make: Record<FileSystem, (image: string) => void> = {
  ext4: image => {
    run('truncate', '-s', '256M', image)
    run('mkfs.ext4', '-q', '-J', 'size=8', image)
  },
  // It wants 300 MiB at least.
  xfs: image => {
    run('truncate', '-s', '320M', image)
    run('mkfs.xfs', '-q', image)
  },
}

export class LoopDisk {
  /** Where it is mounted. */
  readonly mount: string
  readonly #medium: string
  readonly #undoMedium: () => void
  #undoMount = (): void => {}
  #undoFreeze = (): void => {}

  constructor(kind: FileSystem) {
    const folder = temporaryFolder(kind)
    this.#medium = join(folder, 'medium')
    this.mount = join(folder, 'mount')
    this.#undoMedium = mount(this.#medium, '-t', 'tmpfs', '-o', 'size=400m', 'tmpfs')
    make[kind](this.#image)
    this.#attach()
  }

  get #image(): string {
    return join(this.#medium, 'image')
  }

  #attach(): void {
    this.#undoMount = mount(this.mount, '-o', 'loop', this.#image)
  }

  /** All that was written so far is kept. */
  sync(): void {
    run('sync', '-f', this.mount)
  }

  /** The power goes: nothing reaches the medium from now on, not even the journal. */
  cut(): void {
    run('xfs_io', '-x', '-c', 'shutdown', this.mount)
  }

  /**
   * Whoever writes or syncs there waits, and can't even be killed, until `thaw`. That comes by itself after `atMostMs`,
   * whatever becomes of this process.
   */
  freeze(atMostMs: number): void {
    run('fsfreeze', '-f', this.mount)
    const script = `sleep ${atMostMs / 1000}; fsfreeze -u "$0"`
    const watch = spawn('sh', ['-c', script, this.mount], { detached: true, stdio: 'ignore' })
    watch.unref()
    this.#undoFreeze = undoLater(() => {
      if (watch.pid !== undefined) process.kill(-watch.pid, 'SIGKILL')
      spawnSync('fsfreeze', ['-u', this.mount])
    })
  }

  thaw(): void {
    this.#undoFreeze()
  }

  /** Mounts it again; nobody may have a file open there. */
  async again(): Promise<void> {
    await this.#detach()
    this.#attach()
  }

  async remove(): Promise<void> {
    await this.#detach()
    run('umount', this.#medium)
    this.#undoMedium()
  }

  async #detach(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const { status, stderr } = spawnSync('umount', [this.mount], { encoding: 'utf8' })
      if (status === 0) break
      // A process that was killed a moment ago may still be letting go.
      if (attempt === 50) throw new Error(`umount ${this.mount}: ${stderr}`)
      await pause(100)
    }
    this.#undoMount()
  }
}
