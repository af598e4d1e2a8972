{{- define "labels" -}}
{app.kubernetes.io/name: {{ . }}, app.kubernetes.io/part-of: make-us-rich}
{{- end }}

{{- define "pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
envFrom:
  - configMapRef: {name: make-us-rich}
  {{- if . }}
  - secretRef: {name: make-us-rich}
  {{- end }}
{{- end }}

{{- define "pairs" -}}
{name: pairs, mountPath: /app/conf/production/parameters.yml, subPath: parameters.yml}
{{- end }}

{{- define "pairs-volume" -}}
{name: pairs, configMap: {name: make-us-rich-pairs}}
{{- end }}

{{- define "probes" -}}
startupProbe:
  httpGet: {path: {{ .live }}, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: {{ .live }}, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: {{ .ready }}, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}
