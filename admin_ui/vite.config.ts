import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    manifest: true,
    // A data: URL of a small picture would be refused nowhere, but a file is cached and an inlined one is not.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // Against a registry that runs: npm run dev
  server: {
    proxy: {
      '/v1': process.env.MESHWAY_REGISTRY ?? 'http://127.0.0.1:8500',
      '/openapi.json': process.env.MESHWAY_REGISTRY ?? 'http://127.0.0.1:8500',
    },
  },
  test: { environment: 'happy-dom', include: ['src/**/*.test.{ts,tsx}'] },
})
