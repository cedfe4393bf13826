import { useTranslation } from 'react-i18next'
import { signOut } from '../api/signing'
import { PasswordForm } from './PasswordForm'

/** Whose password another chose has to change it before anything else. */
export function NewPasswordPage() {
  const { t } = useTranslation()
  return (
    <main style={{ maxWidth: 400, margin: '64px auto', padding: 16 }}>
      <h1 style={{ fontSize: 20 }}>{t('password.title')}</h1>
      <p>{t('password.must')}</p>
      <PasswordForm done={() => {}} />
      <p>
        <button type="button" onClick={() => void signOut('')}>
          {t('shell.signOut')}
        </button>
      </p>
    </main>
  )
}
