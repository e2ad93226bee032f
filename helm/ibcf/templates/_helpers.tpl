{{- define "ibcf.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ibcf.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ibcf.labels" -}}
{{ include "ibcf.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "ibcf.keys" -}}
{{- .Values.keys.existingSecret | default (printf "%s-keys" (include "ibcf.fullname" .)) -}}
{{- end -}}

{{/* The configuration of one instance. Takes a dict of root and instance. An IPv6 address gets its brackets here. */}}
{{- define "ibcf.instanceConfig" -}}
{{- $address := .instance.address -}}
{{- $any := "0.0.0.0" -}}
{{- if contains ":" $address -}}
{{- $address = printf "[%s]" $address -}}
{{- $any = "[::]" -}}
{{- end -}}
{{- $bind := ternary $address $any (eq .root.Values.network.mode "hostNetwork") -}}
{{- $text := toJson .root.Values.config | replace "$(NAME)" .instance.name | replace "$(BIND)" $bind -}}
{{- $text = $text | replace "$(ADDRESS)" $address | replace "$(ADVERTISED)" $address -}}
{{- /* by way of JSON, whose strings stay strings when a bracket comes to stand first */ -}}
{{- fromJson $text | toYaml -}}
{{- end -}}

{{/* The file that a pod reads: named after its Kubernetes node or after itself, both known to the kubelet. */}}
{{- define "ibcf.instanceFile" -}}
{{- if eq .root.Values.network.mode "hostNetwork" -}}
{{ .instance.name }}.yaml
{{- else -}}
{{ include "ibcf.fullname" .root }}-{{ .index }}.yaml
{{- end -}}
{{- end -}}
