import t from 'tap';
import { failureOf } from '../../support/render-text.ts';

const bombs: Readonly<Record<string, string>> = {
  'a repetition': '{{ sprig_repeat 1000000000 "x" }}',
  'a repetition of nothing much': '{{ sprig_repeat 9223372036854775807 "xy" }}',
  'a loop': '{{ range loop 1 1000000000000 }}{{ end }}',
  'an indentation': '{{ indent 1000000000 "a\\nb" }}',
  'an indentation of sprig': '{{ sprig_nindent 999999999 "a\\nb" }}',
  'a list of numbers': '{{ sprig_until 1000000000000 }}',
  'a sequence': '{{ sprig_seq 1 1 1000000000000 }}',
  'replacing nothing': '{{ $s := sprig_repeat 1000000 "x" }}{{ replaceAll "" $s $s }}',
  'a regular expression': '{{ $s := sprig_repeat 4000000 "x" }}{{ regexMatch "(x{0,30}){0,30}y$" $s }}',
  'a replacement': '{{ $s := sprig_repeat 100000 "x" }}{{ regexReplaceAll "x" $s $s }}',
  'many regular expressions':
    '{{ range loop 100000 }}{{ $x := regexMatch (print "a{1,999}" .) "a" }}{{ end }}',
  joining: '{{ $s := sprig_repeat 1000000 "x" }}{{ sprig_join $s (sprig_until 100) }}',
  wrapping: '{{ $s := sprig_repeat 100000 "x" }}{{ sprig_wrapWith 1 $s $s }}',
  'passwords by the hundred': '{{ range loop 1000 }}{{ sprig_derivePassword 1 "pin" "a" "b" "c" }}{{ end }}',
  'a map within itself': '{{ $d := sprig_dict }}{{ $_ := sprig_set $d "d" $d }}{{ toJSON $d }}',
  'a map within itself as YAML': '{{ $d := sprig_dict }}{{ $_ := sprig_set $d "d" $d }}{{ toYAML $d }}',
  'a map within itself as TOML': '{{ $d := sprig_dict }}{{ $_ := sprig_set $d "d" $d }}{{ toTOML $d }}',
  'a map within itself, copied':
    '{{ $d := sprig_dict }}{{ $_ := sprig_set $d "d" $d }}{{ sprig_deepCopy $d }}',
  'a map within itself, dumped': '{{ $d := sprig_dict }}{{ $_ := sprig_set $d "d" $d }}{{ spew_sdump $d }}',
  'two maps within themselves, merged':
    '{{ $d := sprig_dict }}{{ $_ := sprig_set $d "d" $d }}{{ $e := sprig_dict }}{{ $_ := sprig_set $e "d" $e }}{{ sprig_merge $d $e }}',
  'deep JSON': '{{ sprig_repeat 100000 "[" | parseJSON }}',
  'deep JSON that is whole':
    '{{ printf "%s%s" (sprig_repeat 100000 "[") (sprig_repeat 100000 "]") | parseJSON }}',
  'deep YAML': '{{ sprig_repeat 100000 "[" | parseYAML }}',
  'deep YAML in blocks': '{{ sprig_repeat 100000 "- " | parseYAML }}',
  'laughs by the billion':
    '{{ parseYAML "a: &a [x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]" }}',
  'a YAML anchor within itself': '{{ parseYAML "&a [*a]" }}',
};

for (const [name, template] of Object.entries(bombs)) {
  t.test(`${name} ends with an error`, async (t) => {
    const { message } = await failureOf(template);
    t.match(message, /app\.ctmpl:1:/);
  });
}
