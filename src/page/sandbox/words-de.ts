/** The words of the sandbox's inbox in German. */
import type { Words } from './words-en.ts'

export const de: Words = {
  lead: 'Was der eigene Sandbox-Smarthost angenommen hat: was wirklich gesendet wurde, mit seinen Kopfzeilen. Nichts davon geht weiter.',
  columns: { subject: 'Betreff', from: 'Von', to: 'An', received: 'Empfangen', size: 'Größe' },
  noSubject: '(kein Betreff)',
  nullPath: '<> (leerer Absender)',
  andMore: (more) => `und ${more} weitere`,
  empty: 'Noch ist nichts angekommen',
  emptyHint: 'Was über einen Connector zur Sandbox gesendet wird, erscheint hier von selbst.',
  none: 'Dieses Relay betreibt keine Sandbox',
  noneHint: 'Die Konfiguration dieses Knotens hat keinen Abschnitt sandbox.',
  kept: (count, one) => `${count} ${one ? 'Nachricht' : 'Nachrichten'}, die neueste zuerst`,
  clear: 'Posteingang leeren',
  clearTitle: 'Posteingang leeren?',
  clearText:
    'Alle Nachrichten, die die Sandbox aufbewahrt, werden vergessen. Sie sind weitergeleitet; sonst ändert sich nichts.',
  cleared: 'Der Posteingang ist leer.',
  back: 'Sandbox-Posteingang',
  envelope: 'Umschlag',
  facts: {
    from: 'Absender des Umschlags',
    to: 'Empfänger des Umschlags',
    received: 'Empfangen',
    size: 'Größe',
    tls: 'TLS',
    user: 'Angemeldet als',
  },
  inClear: 'keines: sie kam im Klartext',
  headers: 'Kopfzeilen',
  headerColumns: { name: 'Name', value: 'Wert' },
  marked: 'vom absendergebundenen Connector verarbeitet',
  text: 'Text der Nachricht',
  cut: 'Die Nachricht ist länger: die Datei hat alles.',
  download: '.eml herunterladen',
  gone: 'Die Sandbox bewahrt diese Nachricht nicht mehr auf',
  goneHint: 'Sie bewahrt nur die neuesten auf (sandbox.keepMessages), oder der Posteingang wurde geleert.',
}
