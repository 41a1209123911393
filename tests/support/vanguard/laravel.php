<?php
// Opens and seals with Laravel's own encrypter: lines of `open PAYLOAD` and `seal BASE64`, answered line by line.
require $argv[1];
$encrypter = new Illuminate\Encryption\Encrypter(base64_decode(substr($argv[2], strlen('base64:'))), 'AES-256-CBC');
foreach (file('php://stdin', FILE_IGNORE_NEW_LINES) as $line) {
    [$verb, $value] = explode(' ', $line, 2);
    echo $verb === 'open'
        ? base64_encode($encrypter->decryptString($value))
        : $encrypter->encryptString(base64_decode($value)), "\n";
}
