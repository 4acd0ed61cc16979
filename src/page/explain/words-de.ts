/** The words of Explain in German. */
import type { Words } from './words-en.ts'

export const de: Words = {
  lead: 'Über welchen Connector würde eine Nachricht gesendet, und warum? Nichts wird gesendet. Jede Änderung wird sofort beantwortet.',
  question: 'Die Nachricht',
  from: 'Absender',
  fromHint: 'Des Umschlags; leer ist der leere Absender',
  to: 'Empfänger',
  toHint: 'Einer oder mehrere, durch Kommas oder Zeilen getrennt',
  size: 'Größe',
  sizeHint: 'Zum Beispiel 500KB oder 35MB',
  ip: 'Client',
  ipHint: 'IP-Adresse: darf er einliefern?',
  more: 'Kopf, oder eine ganze Nachricht',
  headers: 'Kopfzeilen',
  headersHint: 'Eine je Zeile: From: Sales <sales@example.com>',
  message: 'Ganze Nachricht',
  messageHint:
    'Als Text; die Regeln sehen alles davon, und ihre Größe zählt. Ihr Kopf zählt anstelle der Kopfzeilen oben.',
  file: 'Aus einer Datei lesen (.eml)',
  nobody: 'Geben Sie einen Empfänger ein',
  nobodyHint: 'Die Antwort erscheint hier.',
  routed: 'Sie wird gesendet',
  notRouted: 'Sie wird nicht gesendet',
  notUpToDate: 'Die Frage ist so nicht richtig; unten steht die Antwort davor.',
  access: 'Darf der Client einliefern?',
  mayNot: (reply) => `Abgelehnt: ${reply}`,
  may: 'Er darf ohne Anmeldung einliefern (access.networks).',
  mayAs: (senders) => `Er darf ohne Anmeldung einliefern (access.networks), als ${senders}.`,
  defects: {
    none: 'Es gibt kein From-Feld, es bindet also niemanden.',
    several: 'Das From-Feld hat mehrere Postfächer, es bindet also niemanden.',
    unparsable: 'Das From-Feld ist nicht eindeutig lesbar, es bindet also niemanden.',
  },
  rules: 'Regeln',
  ruleColumns: { rule: 'Regel', outcome: 'Ergebnis' },
  rule: {
    matched: ({ because, actions, mode, recipients }) => {
      const why = because.map(({ condition, value }) => `${condition} ${value}`).join(', ')
      const does =
        mode === 'enforce' ? actions.join(', ') : `${actions.join(', ')} (${mode}: nicht ausgeführt)`
      return `trifft zu${why === '' ? '' : ` (${why})`} für ${recipients.join(', ')}: ${does}`
    },
    notMatched: (condition) => `trifft nicht zu: ${condition}`,
    excepted: (condition, value) => `ausgenommen: ${condition} ${value}`,
    disabled: 'ist deaktiviert',
    notYetActive: 'ist noch nicht aktiv',
    noLongerActive: 'ist nicht mehr aktiv',
    stoppedBefore: 'nicht gefragt: eine Regel davor hat es beendet',
    notInspected: 'stellt zurück: der Inhalt ließ sich nicht prüfen',
    passedOver: 'übergangen: der Inhalt ließ sich nicht prüfen',
  },
  policy: {
    dropped: 'Die Regeln verwerfen sie: niemand erfährt davon.',
    held: (reason) => `Für einen Operator angehalten: ${reason}`,
    inPlaceOf: (recipient) => `Anstelle von ${recipient}, durch eine Regel.`,
    added: 'Durch eine Regel hinzugefügt.',
  },
  steps: {
    noSender: 'Kein Absender zählt für eine Bindung.',
    notBound: (sender) => `Weder ${sender} noch seine Domäne hat eine Bindung.`,
    address: (address) => `Die Adresse ${address}`,
    domain: (domain) => `Die Domäne ${domain}`,
    boundToNone: (whose) => `${whose} ist an keinen Connector gebunden, was auch immer ihre Domäne hat.`,
    boundTo: (whose, connector) => `${whose} ist an den Connector ${connector} gebunden.`,
    boundConnector: {
      chosen: 'nimmt sie.',
      notCovered:
        'hat eigene Adressräume, und keiner davon umfasst den Empfänger: weiter zu allen Connectors.',
      disabled: 'ist deaktiviert, und eine Bindung hat keinen Ersatz: vorerst abgelehnt.',
      tooSmall: 'ist zu klein für die Nachricht, und eine Bindung hat keinen Ersatz: abgelehnt.',
      missing: 'existiert nicht, und eine Bindung hat keinen Ersatz: vorerst abgelehnt.',
    },
    theBoundConnector: (connector) => `Der gebundene Connector ${connector}`,
    spaces:
      'Adressräume: der spezifischste eines Connectors, der groß genug ist, gewinnt, dann die Kosten, dann der Name.',
    noSpace: 'Adressräume: keiner nimmt sie.',
    noDefault: 'Kein Connector ist der Standard.',
    theDefault: (connector) => `Der Standardconnector ${connector}`,
    default: {
      chosen: 'nimmt, was übrig ist.',
      disabled: 'ist deaktiviert.',
      tooSmall: 'ist zu klein: sein maxSendSize liegt unter der Nachricht.',
      none: 'existiert nicht.',
    },
    nothing: {
      tooLarge: 'Die Nachricht ist zu groß für jeden Connector, der sie nehmen könnte: abgelehnt.',
      reject: 'Nichts nimmt sie: abgelehnt (routing.unroutable ist reject).',
      hold: 'Nichts nimmt sie: als nicht erreichbar aufbewahrt, bis sich die Konfiguration ändert (routing.unroutable ist hold).',
    },
  },
  candidates: 'Connectors mit Adressräumen',
  candidateColumns: { connector: 'Connector', space: 'Adressraum', outcome: 'Ergebnis' },
  candidateOutcomes: {
    chosen: 'wird gewählt',
    disabled: 'ist deaktiviert',
    tooSmall: 'ist zu klein: sein maxSendSize liegt unter der Nachricht',
    lessSpecific: 'unterliegt: sein Adressraum ist weniger spezifisch',
    higherCost: 'unterliegt: sein Adressraum ist ebenso spezifisch, kostet aber mehr',
    laterName: 'unterliegt: ebenso spezifisch und günstig, aber sein Name kommt später',
    noMatch: 'hat keinen passenden Adressraum',
  },
  decision: {
    connector: (connector) => `Geht über den Connector ${connector}`,
    refused: (reply) => `Abgelehnt: ${reply}`,
    unreachable: 'Angenommen, und als nicht erreichbar aufbewahrt, bis sich die Konfiguration ändert',
    dropped: 'Verworfen',
  },
  why: {
    senderAddress: (entry) => `Bindung von ${entry}`,
    senderDomain: (entry) => `Bindung der Domäne ${entry}`,
    addressSpace: (entry) => `Adressraum ${entry}`,
    default: (entry) => `Standardconnector ${entry}`,
    policy: (entry) => `durch eine Regel gewählt: ${entry}`,
  },
  identities: {
    envelope: 'Der Absender des Umschlags bestimmt, wessen Bindung zählt (routing.senderIdentity).',
    header: 'Das From-Feld bestimmt, wessen Bindung zählt (routing.senderIdentity).',
    headerOrEnvelope:
      'Das From-Feld bestimmt, wessen Bindung zählt, sonst der Umschlag (routing.senderIdentity).',
  },
}
