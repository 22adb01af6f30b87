/** Folders and ports for one test process: folders are removed when it ends, ports are free when handed out. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folders = new Set<string>()

process.on('exit', () => {
  // Whoever runs the tests removes all of it; on a busy disk that takes as long as a handle that was left open.
  if (process.env['ODRADEK_TEST_REMOVED'] !== undefined) return
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A fresh empty folder; removed when the process ends. */
export const temporaryFolder = (name = 'test'): string => {
  const folder = mkdtempSync(join(tmpdir(), `odradek-${name}-`))
  folders.add(folder)
  return folder
}

/** Removes a folder with many files now. */
export const removeFolder = (folder: string): void => {
  rmSync(folder, { recursive: true, force: true })
  folders.delete(folder)
}

/** A port that was free on 127.0.0.1 a moment ago. Prefer port 0 where the program under test says what it got. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'))
        else resolve(address.port)
      })
    })
  })
