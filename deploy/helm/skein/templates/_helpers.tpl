{{- define "skein.labels" -}}
app.kubernetes.io/name: skein
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "skein.redis" -}}
app.kubernetes.io/name: skein-redis
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
