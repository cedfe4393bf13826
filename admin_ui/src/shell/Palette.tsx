import { Modal, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { PLURALS } from '../api/documents'
import { servicesQuery } from '../api/services'
import { useRights } from '../api/session'
import { placesFor } from './navigation'

const SHOWN = 12

type Entry = { id: string; title: string; hint: string; go: () => void }

/** Jumps to a page, a service, a kind of documents or a revision by name. */
export function Palette({ isOpen, close }: { isOpen: boolean; close: () => void }) {
  const { t } = useTranslation()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const list = useId()
  const entries = useEntries(isOpen, text)
  useEffect(() => {
    if (isOpen) setText('')
  }, [isOpen])

  function choose(entry: Entry | undefined) {
    if (entry === undefined) return
    close()
    entry.go()
  }

  function onKey(event: KeyboardEvent) {
    if (event.key === 'Enter') choose(entries[at])
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined && entries.length > 0) {
      event.preventDefault()
      setAt((at + step + entries.length) % entries.length)
    }
  }

  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title={t('shell.search')}
      closeButtonProps={{ 'aria-label': t('kit.close') }}
    >
      <TextInput
        data-autofocus
        role="combobox"
        aria-label={t('shell.searchLabel')}
        placeholder={t('shell.searchHint')}
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={entries[at] ? `${list}-${at}` : undefined}
        value={text}
        onKeyDown={onKey}
        onChange={(event) => {
          setText(event.currentTarget.value)
          setAt(0)
        }}
      />
      <div role="listbox" id={list} aria-label={t('shell.search')} style={{ marginTop: 8 }}>
        {entries.map((entry, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the box above has the keys (aria-activedescendant)
          <div
            key={entry.id}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onClick={() => choose(entry)}
            style={{
              display: 'flex',
              justifyContent: 'space-between',
              padding: '6px 8px',
              borderRadius: 6,
              cursor: 'pointer',
              background: index === at ? 'var(--sunken)' : undefined,
            }}
          >
            <span>{entry.title}</span>
            <span style={{ color: 'var(--muted)' }}>{entry.hint}</span>
          </div>
        ))}
      </div>
      {entries.length === 0 && <p role="status">{t('kit.nothingMatches')}</p>}
    </Modal>
  )
}

function useEntries(isOpen: boolean, text: string): Entry[] {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { session, maySomewhere } = useRights()
  const services = useQuery({ ...servicesQuery(undefined), enabled: isOpen && maySomewhere('instances:read') })
  const wanted = text.trim().toLowerCase()
  const revision = /^r?(\d+)$/.exec(wanted)?.[1]
  const all: Entry[] = [
    ...placesFor(session).map(({ to, key }) => ({
      id: key,
      title: t(`nav.${key}`),
      hint: t('shell.page'),
      go: () => void navigate({ to, params: { kind: 'TrafficPolicy' } }),
    })),
    ...(services.data ?? []).map(({ metadata }) => {
      const namespace = metadata.namespace ?? 'default'
      return {
        id: `service ${namespace}/${metadata.name}`,
        title: `${namespace}/${metadata.name}`,
        hint: t('shell.service'),
        go: () => void navigate({ to: '/services/$namespace/$service', params: { namespace, service: metadata.name } }),
      }
    }),
  ]
  if (maySomewhere('documents:read')) {
    for (const kind of Object.keys(PLURALS)) {
      all.push({
        id: `kind ${kind}`,
        title: kind,
        hint: t('policies.kind'),
        go: () => void navigate({ to: '/policies/$kind', params: { kind } }),
      })
    }
  }
  const found = all.filter((one) => one.title.toLowerCase().includes(wanted))
  if (revision !== undefined) {
    found.unshift({
      id: `revision ${revision}`,
      title: `r${revision}`,
      hint: t('shell.revision'),
      go: () => void navigate({ to: '/changes/$revision', params: { revision } }),
    })
  }
  return found.slice(0, SHOWN)
}
