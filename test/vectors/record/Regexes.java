// Writes down what RE2/J, whose regular expressions Apache Kafka's broker takes for topic subscriptions, says of
// patterns: its complaint, or which topic names it matches whole. Patterns are the lines of a file and, after them,
// ones made up from a seed. Needs the jars of the broker on the class path and nothing else:
//
//   java -cp 'KAFKA/libs/*' test/vectors/record/Regexes.java test/vectors/regex/patterns.txt > test/vectors/regex/re2j.json

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;

public class Regexes {
  static final String[] WORDS = {
    "orders", "Orders", "ORDERS", "orders-v1", "orders-v2", "orders.v1", "orders_v1", "orders-v10", "payments",
    "payments.eu", "payments.us", "payments.eu.dlq", "eu.payments", "__consumer_offsets", "a", "b", "c", "aa", "ab", "ba",
    "aab", "abb", "aaa", "abc", "abcabc", "abab", "foo", "bar", "foobar", "foo.bar", "foo-bar", "foo_bar", "foo1", "Foo",
    "FOO", "a.b", "a-b", "a_b", "a..b", "a--b", "k", "K", "s", "S", "ks", "KS", "0", "1", "9", "12", "123", "2024-01-01",
    "x{2}", "x.1", "xx", "xxx", "xxxx", "xxxxxxxxxx", "z", "Z", "-", "_", "--", "_a", "-a", "a-", "E", "Q", "d1", "w_1",
  };
  static final String[] PIECES = {
    "a", "b", "ab", "abc", "foo", "x", "k", "S", "1", "-", "_", ".", "\\.", "\\-", "\\d", "\\w", "\\W", "\\D", "\\S", "[ab]",
    "[^a]", "[a-c]", "[a-zA-Z0-9]", "[._-]", "[[:alpha:]]", "[[:^digit:]]", "[\\d-]", "\\pL", "\\p{Lu}", "\\P{N}", "^", "$",
    "\\b", "\\B", "\\A", "\\z", "(", ")", "(?:", "(?i)", "(?i:", "(?-i)", "(?s)", "(?m)", "(?U)", "(?P<n>", "|", "|", "*",
    "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{2,1}", "{", "}", "{,2}", "[", "]", "\\", "\\Q", "\\E", "\\x61",
    "\\x{62}", "\\141", "(?=", "(?#", "&&", "[[a]", "[a&&b]", "é", "(?x)", "#", " ",
  };

  static String quote(String text) {
    StringBuilder to = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') to.append('\\').append(c);
      else if (c < 32 || c > 126) to.append(String.format("\\u%04x", (int) c));
      else to.append(c);
    }
    return to.append('"').toString();
  }

  static String judge(String pattern, List<String> names) {
    try {
      Pattern compiled = Pattern.compile(pattern);
      StringJoiner matched = new StringJoiner(",", "[", "]");
      for (int i = 0; i < names.size(); i++) if (compiled.matcher(names.get(i)).matches()) matched.add("" + i);
      return "\"matches\":" + matched;
    } catch (PatternSyntaxException error) {
      return "\"error\":" + quote(error.getDescription());
    } catch (StackOverflowError | RuntimeException error) {
      return "\"crash\":" + quote(error.getClass().getSimpleName());
    }
  }

  static Set<String> tableNames(String field) throws Exception {
    Field names = Class.forName("com.google.re2j.UnicodeTables").getDeclaredField(field);
    names.setAccessible(true);
    return new TreeSet<>(((Map<String, ?>) names.get(null)).keySet());
  }

  public static void main(String[] args) throws Exception {
    List<String> names = new ArrayList<>(List.of(WORDS));
    for (char c = '-'; c <= 'z'; c++) {
      String name = "" + c;
      if (name.matches("[a-zA-Z0-9._-]") && !names.contains(name)) names.add(name);
    }
    List<String> patterns = new ArrayList<>(Files.readAllLines(Path.of(args[0]), StandardCharsets.UTF_8));
    for (String field : List.of("CATEGORIES", "SCRIPTS")) {
      for (String name : tableNames(field)) {
        patterns.add("\\p{" + name + "}");
        patterns.add("(?i)[^\\p{" + name + "}]");
      }
    }
    Random random = new Random(848);
    for (int i = 0; i < 1500; i++) {
      StringBuilder made = new StringBuilder();
      for (int left = 1 + random.nextInt(7); left > 0; left--) made.append(PIECES[random.nextInt(PIECES.length)]);
      patterns.add(made.toString());
    }
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    StringJoiner quoted = new StringJoiner(",");
    for (String name : names) quoted.add(quote(name));
    out.println("{\"names\":[" + quoted + "],");
    out.println("\"patterns\":[");
    int left = patterns.size();
    for (String pattern : patterns) {
      left--;
      out.println("{\"pattern\":" + quote(pattern) + "," + judge(pattern, names) + "}" + (left > 0 ? "," : ""));
    }
    out.println("]}");
    out.flush();
  }
}
