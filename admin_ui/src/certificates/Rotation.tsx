import { Button, Textarea } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Identity, rotate } from '../api/identity'
import { keys } from '../api/keys'
import { Confirm } from '../kit/Confirm'
import { CopyCommand } from '../kit/CopyCommand'

const PHASES = ['settled', 'trust_both', 'issue_new', 'all_renewed'] as const
type Phase = (typeof PHASES)[number]
type Move = 'next' | 'back' | 'intermediate'

/** How far a change of the root is, what it waits for, and the step that may come. */
export function Rotation({ identity, mayWrite }: { identity: Identity; mayWrite: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [move, setMove] = useState<Move | null>(null)
  const [rootKey, setRootKey] = useState('')
  const phase = identity.phase as Phase
  const isWaiting = identity.waits_for.length > 0
  const isRootHere = identity.authorities.some((one) => one.role === 'root' && one.state === 'current' && one.has_key)

  async function act() {
    if (move === null) return
    if (move === 'intermediate') await rotate('intermediate', 'next', rootKey)
    else await rotate('root', move)
    await client.invalidateQueries({ queryKey: keys.identity })
  }

  function choose(next: Move) {
    setRootKey('')
    setMove(next)
  }

  return (
    <section className="panel" style={{ marginBottom: 12 }}>
      <h2>
        {t('certificates.domain')} <code>{identity.trust_domain}</code>
      </h2>
      <ol className="steps" aria-label={t('certificates.rotation')}>
        {PHASES.map((one) => (
          <li key={one} aria-current={one === phase ? 'step' : undefined}>
            {one === phase ? <strong>{t(`certificates.phases.${one}`)}</strong> : t(`certificates.phases.${one}`)}
          </li>
        ))}
      </ol>
      {phase !== 'settled' && isWaiting && (
        <p role="status">
          {t('certificates.waits')} <span lang="en">{identity.waits_for.join('; ')}</span>
        </p>
      )}
      {mayWrite && (
        <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8 }}>
          <Button variant="default" disabled={phase !== 'settled' && isWaiting} onClick={() => choose('next')}>
            {t(phase === 'settled' ? 'certificates.rotate' : 'certificates.nextStep')}
          </Button>
          {phase !== 'settled' && (
            <Button variant="default" onClick={() => choose('back')}>
              {t('certificates.stepBack')}
            </Button>
          )}
          <Button variant="default" onClick={() => choose('intermediate')}>
            {t('certificates.newIntermediate')}
          </Button>
        </div>
      )}
      <Confirm
        title={t(titleOf(move, phase))}
        action={t(titleOf(move, phase))}
        isOpen={move !== null}
        close={() => setMove(null)}
        act={act}
      >
        <p style={{ marginTop: 0 }}>{t(`certificates.moves.${move === 'next' ? phase : (move ?? 'back')}`)}</p>
        {move === 'intermediate' && !isRootHere && (
          <Textarea
            label={t('certificates.rootKey')}
            description={t('certificates.rootKeyHint')}
            autosize
            minRows={3}
            value={rootKey}
            onChange={(event) => setRootKey(event.currentTarget.value)}
          />
        )}
        <CopyCommand text={commandOf(move)} />
      </Confirm>
    </section>
  )
}

function titleOf(move: Move | null, phase: Phase) {
  if (move === 'intermediate') return 'certificates.newIntermediate'
  if (move === 'back') return 'certificates.stepBack'
  return phase === 'settled' ? 'certificates.rotate' : 'certificates.nextStep'
}

function commandOf(move: Move | null): string {
  if (move === 'intermediate') return 'meshway ca rotate intermediate'
  return move === 'back' ? 'meshway ca rotate --back' : 'meshway ca rotate'
}
